/** Words and times. */

import type { TranslationBundle } from '@jupyterlab/translation';

import { type ICost, isFinished, type IProgress, type ITask } from './types';

/** How much of a task is drawn, 0 to 1; null while that cannot be known. */
export function fraction(task: ITask): number | null {
  if (task.state !== 'running' || !task.progress) {
    return null;
  }
  const { image, step, steps } = task.progress;
  return Math.min(1, (image + step / steps) / Math.max(1, task.request.n));
}

/** Seconds in words as short as a clock's: `1.6 s`, `2:05`. */
export function duration(seconds: number): string {
  if (seconds < 60) {
    return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  }
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** What goes on in an unfinished task, or how a finished one ended: all that is known. */
export function statusText(task: ITask, trans: TranslationBundle): string {
  return [...statusParts(task, trans), timeLeft(task, trans)].filter(part => part).join(' · ');
}

/** The same in the few words that a narrow line has room for: of what the bar shows, the coarsest. */
export function briefStatus(task: ITask, trans: TranslationBundle): string {
  const [first, second] = statusParts(task, trans);
  return task.state === 'queued' && second ? `${first} · ${second}` : first;
}

/** When it will be done, or nothing: an honest server does not always know. */
export function timeLeft(task: ITask, trans: TranslationBundle): string {
  if (task.state === 'queued' && task.eta_seconds !== null) {
    return trans.__('about %1 left', duration(task.eta_seconds));
  }
  if (task.state === 'running' && task.phase === 'drawing' && task.progress?.seconds_per_step) {
    const { image, step, steps, seconds_per_step } = task.progress;
    const left = (task.request.n - image) * steps - step;
    return trans.__('%1 left', duration(left * seconds_per_step));
  }
  return '';
}

/** In the order of what one wants to know first. */
function statusParts(task: ITask, trans: TranslationBundle): [string, ...string[]] {
  switch (task.state) {
    case 'queued':
      return queueParts(task, trans);
    case 'running':
      return runningParts(task, trans);
    case 'succeeded':
      return [
        task.timings.total === null ? trans.__('done') : trans.__('done in %1', duration(task.timings.total))
      ];
    case 'failed':
      return [task.error?.message ?? trans.__('failed')];
    case 'canceled':
      return [trans.__('canceled')];
  }
}

/** Place in line and why it waits, as far as each is known. */
function queueParts(task: ITask, trans: TranslationBundle): [string, ...string[]] {
  const position = task.queue_position_text || (task.queue_position ?? '').toString();
  const place = position ? trans.__('number %1 in line', position) : '';
  const [first, ...others] = [place, task.phase_text].filter(part => part);
  return [first ?? trans.__('waiting'), ...others];
}

function runningParts(task: ITask, trans: TranslationBundle): [string, ...string[]] {
  if (task.phase === 'canceling') {
    return [trans.__('stopping')];
  }
  if (task.phase === 'drawing' && task.progress) {
    return drawingParts(task.request.n, task.progress, trans);
  }
  return [task.phase_text || task.phase];
}

function drawingParts(
  n: number,
  { image, step, steps }: IProgress,
  trans: TranslationBundle
): [string, ...string[]] {
  const at = trans.__('step %1 of %2', step, steps);
  return n > 1 ? [trans.__('image %1 of %2', image + 1, n), at] : [at];
}

/** The settings of a task in one line. */
export function recipeText(task: ITask, trans: TranslationBundle): string {
  const { model, width, height, steps, guidance, seed, scheduler } = task.request;
  return [
    model,
    `${width}×${height}`,
    trans._n('%1 step', '%1 steps', steps),
    trans.__('guidance %1', guidance),
    scheduler,
    trans.__('seed %1', seed)
  ].join(' · ');
}

/** What the machines have cost, in one line; empty where none is paid for. */
export function costText({ today, per_task, limit_per_day }: ICost, trans: TranslationBundle): string {
  if (!today && limit_per_day === null) {
    return '';
  }
  return [
    trans.__('about $%1 today (UTC)', today.toFixed(2)),
    per_task === null ? '' : trans.__('$%1 a task', per_task.toFixed(4)),
    limit_per_day === null ? '' : trans.__('at most $%1 a day', limit_per_day.toFixed(2))
  ]
    .filter(part => part)
    .join(' · ');
}

/** `1 running · 2 waiting`, or that nothing is. */
export function summary(tasks: readonly ITask[], trans: TranslationBundle): string {
  const running = tasks.filter(task => task.state === 'running').length;
  const waiting = tasks.filter(task => !isFinished(task)).length - running;
  const parts = [
    running ? trans.__('%1 running', running) : '',
    waiting ? trans.__('%1 waiting', waiting) : ''
  ].filter(part => part);
  return parts.join(' · ') || trans.__('nothing is running');
}
