/** The lines of the queue: tasks, and groups folded into one line each. */

import { fraction } from './format';
import { isFinished, type ITask } from './types';

export interface IGroup {
  id: string;
  tasks: readonly ITask[];
  open: boolean;
}

export type Row = { kind: 'task'; task: ITask; inside: boolean } | ({ kind: 'group' } & IGroup);

/** A group stands where its newest task would; a group of one is no group. `open` names those unfolded. */
export function toRows(tasks: readonly ITask[], open: ReadonlySet<string>): Row[] {
  const groups = members(tasks);
  const rows: Row[] = [];
  const told = new Set<string>();
  for (const task of tasks) {
    const others = task.group === null ? [] : (groups.get(task.group) ?? []);
    if (task.group === null || others.length < 2) {
      rows.push({ kind: 'task', task, inside: false });
    } else if (!told.has(task.group)) {
      told.add(task.group);
      rows.push(...groupRows({ id: task.group, tasks: others, open: open.has(task.group) }));
    }
  }
  return rows;
}

function members(tasks: readonly ITask[]): Map<string, ITask[]> {
  const groups = new Map<string, ITask[]>();
  for (const task of tasks) {
    if (task.group !== null) {
      const others = groups.get(task.group);
      if (others) {
        others.push(task);
      } else {
        groups.set(task.group, [task]);
      }
    }
  }
  return groups;
}

function groupRows(group: IGroup): Row[] {
  const inner: Row[] = group.tasks.map(task => ({ kind: 'task', task, inside: true }));
  return [{ kind: 'group', ...group }, ...(group.open ? inner : [])];
}

/** How much of the group is done, 0 to 1. */
export function groupFraction(tasks: readonly ITask[]): number {
  const parts: number[] = tasks.map(task => (isFinished(task) ? 1 : (fraction(task) ?? 0)));
  return parts.reduce((sum, part) => sum + part, 0) / Math.max(1, parts.length);
}
