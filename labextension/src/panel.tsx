/** The side panel: queue, gallery, workers and models. */

import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { IContext } from './context';
import { DetailView } from './detailView';
import { summary } from './format';
import { GalleryView } from './galleryView';
import { panelIcon } from './icon';
import { Button, Notice } from './parts';
import { QueueView } from './queueView';
import { type Tab, TABS } from './view';
import { WorkersView } from './workersView';

export class GpugenPanel extends ReactWidget {
  constructor(private readonly context: IContext) {
    super();
    this.id = 'gpugen-queue';
    this.title.icon = panelIcon;
    this.title.caption = context.trans.__('gpugen: image generation queue');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
    this.addClass('gpugen-panel');
    context.tasks.finished.connect((_, task) => {
      context.gallery.add(task);
    }, this);
  }

  override dispose(): void {
    const { tasks, gallery, service, view, desk } = this.context;
    [tasks, gallery, service, view, desk].forEach(part => {
      part.dispose();
    });
    super.dispose();
  }

  protected override onAfterShow(): void {
    this.context.tasks.setVisible(true);
  }

  protected override onAfterHide(): void {
    this.context.tasks.setVisible(false);
  }

  protected override render(): React.JSX.Element {
    return <Panel context={this.context} />;
  }
}

function Panel({ context }: { context: IContext }): React.JSX.Element {
  const { tasks, view } = context;
  return (
    <UseSignal signal={tasks.changed}>
      {() => <UseSignal signal={view.changed}>{() => <Content context={context} />}</UseSignal>}
    </UseSignal>
  );
}

function Content({ context }: { context: IContext }): React.JSX.Element {
  const { tasks, view, trans } = context;
  return (
    <>
      <Header context={context} />
      {tasks.problem && (
        <Notice
          problem={tasks.problem}
          trans={trans}
          onDismiss={() => {
            tasks.dismiss();
          }}
        />
      )}
      <div
        className="gpugen-panel-body"
        role="tabpanel"
        id="gpugen-tabpanel"
        aria-labelledby={`gpugen-tab-${view.tab}`}
      >
        {view.detail === null ? <TabBody context={context} /> : <Detail context={context} id={view.detail} />}
      </div>
    </>
  );
}

function Header({ context }: { context: IContext }): React.JSX.Element {
  const { tasks, view, trans } = context;
  return (
    <>
      <header className="gpugen-panel-header">
        <h2>{trans.__('gpugen')}</h2>
        <span className="gpugen-panel-summary" aria-live="polite">
          {tasks.tasks && summary(tasks.tasks, trans)}
        </span>
        <Button
          label={trans.__('New')}
          name={trans.__('New image')}
          expanded={view.form}
          onClick={() => {
            view.showForm(!view.form);
          }}
        />
      </header>
      <Tabs context={context} />
    </>
  );
}

/** One of them is in the tab order, the arrow keys go to the others. */
function Tabs({ context: { view, trans } }: { context: IContext }): React.JSX.Element {
  const labels: Record<Tab, string> = {
    queue: trans.__('Queue'),
    gallery: trans.__('Gallery'),
    workers: trans.__('Workers')
  };
  const onKeyDown = (event: React.KeyboardEvent<HTMLDivElement>): void => {
    const step = { ArrowRight: 1, ArrowLeft: TABS.length - 1 }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      const next = TABS[(TABS.indexOf(view.tab) + step) % TABS.length] ?? view.tab;
      view.show(next);
      event.currentTarget.querySelector<HTMLElement>(`#gpugen-tab-${next}`)?.focus();
    }
  };
  return (
    <div className="gpugen-panel-tabs" role="tablist" aria-label={trans.__('gpugen')} onKeyDown={onKeyDown}>
      {TABS.map(tab => (
        <button
          key={tab}
          type="button"
          role="tab"
          id={`gpugen-tab-${tab}`}
          aria-selected={tab === view.tab}
          aria-controls="gpugen-tabpanel"
          tabIndex={tab === view.tab ? 0 : -1}
          onClick={() => {
            view.show(tab);
          }}
        >
          {labels[tab]}
        </button>
      ))}
    </div>
  );
}

// The keys: UseSignal stays connected to the first signal it was given.
function TabBody({ context }: { context: IContext }): React.JSX.Element {
  const { view, gallery, service, desk } = context;
  switch (view.tab) {
    case 'queue':
      return (
        <UseSignal key="queue" signal={service.changed}>
          {() => <QueueView context={context} />}
        </UseSignal>
      );
    case 'gallery':
      return (
        <UseSignal key="gallery" signal={gallery.changed}>
          {() => <UseSignal signal={desk.changed}>{() => <GalleryView context={context} />}</UseSignal>}
        </UseSignal>
      );
    case 'workers':
      return (
        <UseSignal key="workers" signal={service.changed}>
          {() => <WorkersView context={context} />}
        </UseSignal>
      );
  }
}

function Detail({ context, id }: { context: IContext; id: string }): React.JSX.Element {
  return (
    <UseSignal signal={context.desk.changed}>
      {() => <DetailView key={id} context={context} id={id} />}
    </UseSignal>
  );
}
