/** The side panel: the user's queue, newest first. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import { summary } from './format';
import { panelIcon } from './icon';
import type { QueueModel } from './model';
import { TaskRow } from './taskRow';
import type { ApiError, ITask } from './types';

export class QueuePanel extends ReactWidget {
  constructor(
    private readonly model: QueueModel,
    private readonly trans: TranslationBundle
  ) {
    super();
    this.id = 'gpugen-queue';
    this.title.icon = panelIcon;
    this.title.caption = trans.__('gpugen: image generation queue');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
    this.addClass('gpugen-panel');
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }

  protected override onAfterShow(): void {
    this.model.setVisible(true);
  }

  protected override onAfterHide(): void {
    this.model.setVisible(false);
  }

  protected override render(): React.JSX.Element {
    return <UseSignal signal={this.model.changed}>{() => this.content()}</UseSignal>;
  }

  private content(): React.JSX.Element {
    const { tasks, problem } = this.model;
    return (
      <>
        <header className="gpugen-panel-header">
          <h2>gpugen</h2>
          <span className="gpugen-panel-summary" aria-live="polite">
            {tasks && summary(tasks, this.trans)}
          </span>
        </header>
        {problem && <Notice problem={problem} />}
        {tasks?.length === 0 && !problem && <p className="gpugen-panel-empty">{this.emptyText()}</p>}
        {tasks && tasks.length > 0 && this.list(tasks)}
      </>
    );
  }

  private emptyText(): string {
    return this.trans.__(
      'No tasks yet. Run a cell that begins with %%gpugen, and its image is drawn here too.'
    );
  }

  private list(tasks: readonly ITask[]): React.JSX.Element {
    return (
      <ul className="gpugen-panel-tasks" aria-label={this.trans.__('Tasks, newest first')}>
        {tasks.map(task => (
          <TaskRow
            key={task.id}
            task={task}
            thumbnail={this.model.thumbnail(task)}
            trans={this.trans}
            onCancel={id => void this.model.cancel(id)}
          />
        ))}
      </ul>
    );
  }
}

function Notice({ problem }: { problem: ApiError }): React.JSX.Element {
  return (
    <div className="gpugen-panel-notice" role="alert">
      <p>{problem.message}</p>
      {problem.hint && <p className="gpugen-panel-hint">{problem.hint}</p>}
    </div>
  );
}
