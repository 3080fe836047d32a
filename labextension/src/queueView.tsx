/** The queue: my tasks, newest first, live. */

import * as React from 'react';

import type { IContext } from './context';
import { type Row, toRows } from './rows';
import { SubmitForm } from './submitForm';
import { GroupRow, TaskRow } from './taskRow';
import { isFinished, type ITask } from './types';
import { VirtualList } from './virtualList';

const MAGIC = '%%gpugen'; // as an argument: in a text to translate, %% is one %
const ROW_HEIGHT = 66; // pixels; style/index.css fits its content into it
const THUMBNAIL = 128; // 48 CSS pixels on a screen of high density, with some air

export function QueueView({ context }: { context: IContext }): React.JSX.Element {
  const { tasks: model, view, trans } = context;
  const tasks = model.tasks;
  return (
    <>
      {view.form && <SubmitForm context={context} />}
      {tasks?.length === 0 && !model.problem && (
        <p className="gpugen-panel-empty">
          {trans.__('No tasks yet. Run a cell that begins with %1, and its image is drawn here too.', MAGIC)}
        </p>
      )}
      {tasks && tasks.length > 0 && <Rows context={context} tasks={tasks} />}
    </>
  );
}

function Rows({ context, tasks }: { context: IContext; tasks: readonly ITask[] }): React.JSX.Element {
  const { tasks: model, view, trans } = context;
  const rows = React.useMemo(() => toRows(tasks, view.groups), [tasks, view.groups]);
  const actions = useActions(context);
  return (
    <VirtualList
      count={rows.length}
      rowHeight={ROW_HEIGHT}
      label={trans.__('Tasks, newest first')}
      rowKey={index => keyOf(rows[index])}
      row={index => {
        const row = rows[index];
        if (row?.kind === 'group') {
          return (
            <GroupRow group={row} trans={trans} onFold={actions.onFold} onCancel={actions.onCancelGroup} />
          );
        }
        return (
          row && <TaskRow {...row} {...actions.task} picture={pictureOf(context, row.task)} trans={trans} />
        );
      }}
      onEnd={() => void model.more()}
    />
  );
}

function keyOf(row: Row | undefined): string {
  return row?.kind === 'group' ? `group ${row.id}` : (row?.task.id ?? '');
}

/** A finished image, or the one being drawn; what is done counts more than what might become. */
export function pictureOf({ tasks }: IContext, task: ITask): string | null {
  const last = task.images.at(-1);
  const preview = isFinished(task) ? null : tasks.preview(task);
  return preview ?? (last ? tasks.pictures.get(task, last, THUMBNAIL) : null);
}

interface IRowActions {
  onFold: (id: string) => void;
  onCancelGroup: (id: string) => void;
  task: {
    onOpen: (id: string) => void;
    onCancel: (id: string) => void;
    onRetry: (id: string) => void;
  };
}

/** The same functions at every rendering, so that rows that did not change are not drawn anew. */
function useActions({ tasks, view }: IContext): IRowActions {
  return React.useMemo(
    () => ({
      onFold: id => {
        view.fold(id);
      },
      onCancelGroup: id => void tasks.act(api => api.cancelGroup(id)),
      task: {
        onOpen: id => {
          view.showDetail(id);
        },
        onCancel: id => void tasks.act(api => api.cancel(id)),
        onRetry: id => void tasks.act(api => api.retry(id))
      }
    }),
    [tasks, view]
  );
}
