/** One line of the queue: picture or preview, what was asked for, where it stands, and what can be done. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { briefStatus, fraction, statusText, summary, timeLeft } from './format';
import { Bar, Button } from './parts';
import { groupFraction, type IGroup } from './rows';
import { isFinished, type ITask } from './types';

export interface ITaskRowProps {
  task: ITask;
  /** Belongs to the unfolded group above it. */
  inside: boolean;
  /** The finished image, or what it looks like so far. */
  picture: string | null;
  trans: TranslationBundle;
  onOpen: (id: string) => void;
  onCancel: (id: string) => void;
  onRetry: (id: string) => void;
}

export const TaskRow = React.memo(function TaskRow(props: ITaskRowProps): React.JSX.Element {
  const { task, inside, picture, trans, onOpen } = props;
  const { prompt, model, n } = task.request;
  const status = statusText(task, trans);
  return (
    <div
      className={`gpugen-panel-task${inside ? ' gpugen-panel-mod-inside' : ''}`}
      data-task={task.id}
      data-state={task.state}
    >
      <div className="gpugen-panel-task-picture">{picture && <img src={picture} alt={prompt} />}</div>
      <div className="gpugen-panel-task-text">
        <div className="gpugen-panel-task-head">
          <button
            type="button"
            className="gpugen-panel-task-prompt"
            title={prompt}
            onClick={() => {
              onOpen(task.id);
            }}
          >
            {prompt}
          </button>
          <RowButton {...props} />
        </div>
        {!isFinished(task) && <Bar name={prompt} fraction={fraction(task)} text={status} />}
        <div className="gpugen-panel-task-status">
          <span className={`gpugen-panel-state gpugen-panel-mod-${task.state}`} title={status}>
            {briefStatus(task, trans)}
          </span>
          <span className="gpugen-panel-task-aside">
            {isFinished(task) ? (n > 1 ? `${model} ×${n}` : model) : timeLeft(task, trans)}
          </span>
        </div>
      </div>
    </div>
  );
});

function RowButton({ task, trans, onCancel, onRetry }: ITaskRowProps): React.JSX.Element | null {
  const { prompt } = task.request;
  if (!isFinished(task)) {
    return (
      <Button
        label={trans.__('Cancel')}
        name={trans.__('Cancel: %1', prompt)}
        disabled={task.phase === 'canceling'}
        onClick={() => {
          onCancel(task.id);
        }}
      />
    );
  }
  if (task.state === 'succeeded') {
    return null;
  }
  return (
    <Button
      label={trans.__('Try again')}
      name={trans.__('Try again: %1', prompt)}
      onClick={() => {
        onRetry(task.id);
      }}
    />
  );
}

export interface IGroupRowProps {
  group: IGroup;
  trans: TranslationBundle;
  onFold: (id: string) => void;
  onCancel: (id: string) => void;
}

/** A group in one line: how far it is as a whole. */
export function GroupRow({ group, trans, onFold, onCancel }: IGroupRowProps): React.JSX.Element {
  const { id, tasks, open } = group;
  const done = tasks.filter(isFinished).length;
  const text = trans.__('%1 of %2 done', done, tasks.length);
  const busy = done < tasks.length;
  return (
    <div className="gpugen-panel-task gpugen-panel-group" data-group={id}>
      <div className="gpugen-panel-task-text">
        <div className="gpugen-panel-task-head">
          <button
            type="button"
            className="gpugen-panel-task-prompt"
            aria-expanded={open}
            title={tasks[0]?.request.prompt}
            onClick={() => {
              onFold(id);
            }}
          >
            <span aria-hidden="true">{open ? '▾ ' : '▸ '}</span>
            {trans.__('Group of %1: %2', tasks.length, tasks[0]?.request.prompt ?? '')}
          </button>
          {busy && (
            <Button
              label={trans.__('Cancel all')}
              name={trans.__('Cancel all of the group: %1', tasks[0]?.request.prompt ?? '')}
              onClick={() => {
                onCancel(id);
              }}
            />
          )}
        </div>
        {busy && <Bar name={trans.__('Group')} fraction={groupFraction(tasks)} text={text} />}
        <div className="gpugen-panel-task-status">
          <span className="gpugen-panel-state">{text}</span>
          <span>{busy && summary(tasks, trans)}</span>
        </div>
      </div>
    </div>
  );
}
