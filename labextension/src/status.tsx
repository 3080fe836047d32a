/** The item in the status bar: how many tasks run; nothing while none does. */

import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { TaskModel } from './model';

export class StatusItem extends ReactWidget {
  constructor(
    private readonly model: TaskModel,
    private readonly trans: TranslationBundle,
    private readonly onClick: () => void
  ) {
    super();
    this.addClass('gpugen-status');
  }

  protected override render(): React.JSX.Element {
    return <UseSignal signal={this.model.changed}>{() => this.content()}</UseSignal>;
  }

  private content(): React.JSX.Element {
    const { running } = this.model;
    return (
      <>
        {running > 0 && (
          <button type="button" title={this.trans.__('Open the gpugen panel')} onClick={this.onClick}>
            {this.trans.__('gpugen: %1 running', running)}
          </button>
        )}
      </>
    );
  }
}
