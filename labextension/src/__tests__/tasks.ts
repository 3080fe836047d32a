/** Tasks to test with. */

import type { ITask } from '../types';

export function task(changes: Partial<ITask> = {}): ITask {
  return {
    id: 't1',
    state: 'running',
    phase: 'drawing',
    phase_text: '',
    request: { prompt: 'a red fox', model: 'emoji', n: 1 },
    queue_position: null,
    queue_position_text: '',
    eta_seconds: null,
    progress: { image: 0, step: 5, steps: 20, seconds_per_step: 0.1 },
    images: [],
    error: null,
    finished_at: null,
    timings: { total: null },
    ...changes
  };
}
