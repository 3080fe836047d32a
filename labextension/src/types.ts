/** What the gpugen server says, as far as the panel shows it, and what the panel asks of it. */

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

/** A request in which everything is decided. */
export interface IRecipe {
  prompt: string;
  negative_prompt: string;
  model: string;
  width: number;
  height: number;
  steps: number;
  guidance: number;
  seed: number;
  n: number;
  scheduler: string;
  init_image: string | null;
  mask_image: string | null;
  strength: number | null;
}

/** A request as it is sent; what is left out is the model's default. */
export type Wish = Partial<IRecipe> & { prompt: string };

export interface IFailure {
  code: string;
  message: string;
  hint: string;
}

export interface ITask {
  id: string;
  state: State;
  phase: string;
  phase_text: string;
  request: IRecipe;
  group: string | null;
  queue_position: number | null;
  queue_position_text: string;
  eta_seconds: number | null;
  progress: IProgress | null;
  images: IImage[];
  error: IFailure | null;
  created_at: string;
  finished_at: string | null;
  timings: { total: number | null };
  worker: string | null;
}

export interface ITaskPage {
  tasks: ITask[];
  next_cursor: string | null;
}

/** Which tasks to list; what is left out means any. */
export interface ITaskQuery {
  state?: string;
  q?: string;
  model?: string;
  limit?: number;
  cursor?: string;
}

/** A message of the websocket; README of docs/api describes each `type`. */
export type TaskEvent =
  | { type: 'snapshot'; task: string; seq: number; data: ITask }
  | { type: 'state'; task: string; seq: number; state: State; error: IFailure | null }
  | { type: 'phase'; task: string; seq: number; phase: string; text: string; data?: IPhaseData }
  | { type: 'image'; task: string; seq: number; index: number; sha256: string; seed: number }
  | ILogLine
  | ({ type: 'progress'; task: string } & IProgress)
  | { type: 'preview'; task: string; mime: string; data: string }
  | { type: 'gap'; task: string; until: number };

/** What a task that waits is told of its place; null where it has none, or its time is not known. */
export interface IPhaseData {
  position?: number | null;
  eta_seconds?: number | null;
}

export interface ILogLine {
  type: 'log';
  task: string;
  seq: number;
  at: string;
  level: string;
  message: string;
}

export interface IWorker {
  id: string;
  name: string;
  state: string;
  text: string;
  models: string[];
  device: string;
  task: string | null;
}

/** A machine of the autoscaler, from the wish for it to its end. */
export interface IMachine {
  name: string;
  state: 'asked' | 'up' | 'serving' | 'leaving';
  text: string;
  /** Its worker's id, once that is there. */
  worker: string | null;
  /** US dollars, estimated. */
  hourly: number;
}

export interface IWorkers {
  workers: IWorker[];
  machines: IMachine[];
  autoscaler: string;
  autoscaler_text: string;
}

/** What the autoscaler's machines cost, in US dollars, estimated. */
export interface ICost {
  /** Since midnight, UTC. */
  today: number;
  /** Of what was finished today; null before the first. */
  per_task: number | null;
  /** Beyond it no machine is started. */
  limit_per_day: number | null;
}

export interface IModel {
  name: string;
  title: string;
  licence: string;
  licence_url: string;
  width: number;
  height: number;
  steps: number;
  guidance: number;
  scheduler: string;
}

export interface IModels {
  models: IModel[];
  default: string;
}

/** Whether a gpugen server runs; a private one ends when nobody uses it. */
export interface IPresence {
  private: boolean;
  running: boolean;
  unfinished: number;
}

/** Why a request was not served: one sentence, what to do next, and what is wrong with which field. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly hint = '',
    readonly fields: readonly { path: string; message: string }[] = []
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** What the panel asks of the server; request.ts does it over HTTP, the tests do it in memory. */
export interface IApi {
  /** Looks without starting or waking a server. */
  presence(): Promise<IPresence>;
  /** One page of this user's tasks, newest first. */
  tasks(query: ITaskQuery): Promise<ITaskPage>;
  task(id: string): Promise<ITask>;
  submit(wish: Wish): Promise<ITask>;
  /** Ask for the end of an unfinished task. */
  cancel(id: string): Promise<void>;
  cancelGroup(id: string): Promise<void>;
  /** The same request once more, as a new task. */
  retry(id: string): Promise<ITask>;
  /** Remove a finished task with its images. */
  remove(id: string): Promise<void>;
  /** What the worker said about the task. */
  log(id: string): Promise<ILogLine[]>;
  /** A finished image; `pixels` asks for a small one. */
  image(id: string, index: number, pixels?: number): Promise<Blob>;
  models(): Promise<IModels>;
  workers(): Promise<IWorkers>;
  cost(): Promise<ICost>;
  /** A new websocket of events. */
  socket(): WebSocket;
}

export function isFinished(task: ITask): boolean {
  return task.state !== 'queued' && task.state !== 'running';
}

export function asApiError(error: unknown): ApiError {
  return error instanceof ApiError ? error : new ApiError(String(error));
}
