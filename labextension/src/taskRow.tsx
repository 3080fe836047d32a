/** One task: its picture or bar, what was asked for, where it stands, and a way to stop it. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { fraction, statusText } from './format';
import { type ITask, isFinished } from './types';

export interface ITaskRowProps {
  task: ITask;
  thumbnail: string | null;
  trans: TranslationBundle;
  onCancel: (id: string) => void;
}

export function TaskRow({ task, thumbnail, trans, onCancel }: ITaskRowProps): React.JSX.Element {
  const { prompt, model, n } = task.request;
  const status = statusText(task, trans);
  return (
    <li className="gpugen-panel-task" data-task={task.id} data-state={task.state}>
      <div className="gpugen-panel-task-picture">{thumbnail && <img src={thumbnail} alt={prompt} />}</div>
      <div className="gpugen-panel-task-text">
        <div className="gpugen-panel-task-head">
          <span className="gpugen-panel-task-prompt" title={prompt}>
            {prompt}
          </span>
          {!isFinished(task) && <CancelButton task={task} trans={trans} onCancel={onCancel} />}
        </div>
        {!isFinished(task) && <Bar task={task} text={status} />}
        <div className="gpugen-panel-task-status">
          <span className={`gpugen-panel-state gpugen-panel-mod-${task.state}`} title={task.error?.hint}>
            {status}
          </span>
          <span className="gpugen-panel-task-model">{n > 1 ? `${model} ×${n}` : model}</span>
        </div>
      </div>
    </li>
  );
}

/** Without a known fraction the bar is indeterminate, and says so by leaving aria-valuenow out. */
function Bar({ task, text }: { task: ITask; text: string }): React.JSX.Element {
  const done = fraction(task);
  const percent = done === null ? undefined : Math.round(done * 100);
  return (
    <div
      className={
        percent === undefined ? 'gpugen-panel-bar gpugen-panel-mod-indeterminate' : 'gpugen-panel-bar'
      }
      role="progressbar"
      aria-label={task.request.prompt}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={text}
    >
      <div className="gpugen-panel-bar-fill" style={{ width: `${percent ?? 100}%` }} />
    </div>
  );
}

type CancelProps = Pick<ITaskRowProps, 'task' | 'trans' | 'onCancel'>;

function CancelButton({ task, trans, onCancel }: CancelProps): React.JSX.Element {
  return (
    <button
      className="gpugen-panel-cancel"
      disabled={task.phase === 'canceling'}
      aria-label={trans.__('Cancel: %1', task.request.prompt)}
      onClick={() => {
        onCancel(task.id);
      }}
    >
      {trans.__('Cancel')}
    </button>
  );
}
