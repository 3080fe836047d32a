/** What the gpugen server says of a task, as far as the panel shows it. */

export type State = 'queued' | 'running' | 'succeeded' | 'failed' | 'canceled';

export interface IProgress {
  image: number;
  step: number;
  steps: number;
  seconds_per_step: number | null;
}

export interface IImage {
  index: number;
  seed: number;
  sha256: string;
}

export interface ITask {
  id: string;
  state: State;
  phase: string;
  phase_text: string;
  request: { prompt: string; model: string; n: number };
  queue_position: number | null;
  queue_position_text: string;
  eta_seconds: number | null;
  progress: IProgress | null;
  images: IImage[];
  error: { code: string; message: string; hint: string } | null;
  finished_at: string | null;
  timings: { total: number | null };
}

/** Why a request was not served: one sentence, and what to do next. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint = ''
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** What the panel asks of the server; request.ts does it over HTTP, the tests do it in memory. */
export interface IApi {
  /** The newest tasks of this user, newest first. */
  tasks(): Promise<ITask[]>;
  /** Ask for the end of an unfinished task. */
  cancel(id: string): Promise<void>;
  /** A finished image, made small. */
  thumbnail(id: string, index: number): Promise<Blob>;
}

export function isFinished(task: ITask): boolean {
  return task.state !== 'queued' && task.state !== 'running';
}
