/** The only file that calls the Jupyter server, which passes each request on to the gpugen server. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import {
  ApiError,
  type IApi,
  type ICost,
  type ILogLine,
  type IModels,
  type IPresence,
  type ITask,
  type ITaskPage,
  type ITaskQuery,
  type IWorkers,
  type TaskEvent,
  type Wish
} from './types';

const OURS = 'gpugen';
const ROOT = `${OURS}/api/v1`;

interface IProblem {
  detail: string;
  hint?: string;
  errors?: { path: string; message: string }[];
}

export class JupyterApi implements IApi {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly trans: TranslationBundle
  ) {}

  async presence(): Promise<IPresence> {
    return this.read<IPresence>(`${OURS}/presence`);
  }

  async tasks(query: ITaskQuery): Promise<ITaskPage> {
    const fields = new URLSearchParams();
    for (const [name, value] of Object.entries(query) as [string, string | number | undefined][]) {
      if (value !== undefined && value !== '') {
        fields.set(name, String(value));
      }
    }
    return this.read<ITaskPage>(`${ROOT}/tasks?${fields.toString()}`);
  }

  async task(id: string): Promise<ITask> {
    return this.read<ITask>(path(id));
  }

  async submit(wish: Wish): Promise<ITask> {
    const response = await this.call(`${ROOT}/tasks`, {
      method: 'POST',
      body: JSON.stringify(wish),
      headers: { 'Content-Type': 'application/json' }
    });
    return (await response.json()) as ITask;
  }

  async cancel(id: string): Promise<void> {
    await this.call(`${path(id)}/cancel`, { method: 'POST' });
  }

  async cancelGroup(id: string): Promise<void> {
    await this.call(`${ROOT}/groups/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
  }

  async retry(id: string): Promise<ITask> {
    return (await (await this.call(`${path(id)}/retry`, { method: 'POST' })).json()) as ITask;
  }

  async remove(id: string): Promise<void> {
    await this.call(path(id), { method: 'DELETE' });
  }

  async log(id: string): Promise<ILogLine[]> {
    const page = await this.read<{ events: TaskEvent[] }>(`${path(id)}/events?after=0`);
    return page.events.filter(event => event.type === 'log');
  }

  async image(id: string, index: number, pixels?: number): Promise<Blob> {
    const small = pixels === undefined ? '' : `?thumbnail=${pixels}`;
    return (await this.call(`${path(id)}/images/${index}${small}`)).blob();
  }

  async models(): Promise<IModels> {
    return this.read<IModels>(`${ROOT}/models`);
  }

  async workers(): Promise<IWorkers> {
    return this.read<IWorkers>(`${ROOT}/workers`);
  }

  async cost(): Promise<ICost> {
    return (await this.read<{ cost: ICost }>(`${ROOT}/stats`)).cost;
  }

  socket(): WebSocket {
    const { wsUrl, token, appendToken, WebSocket } = this.settings;
    const credentials = appendToken && token ? `?token=${encodeURIComponent(token)}` : '';
    return new WebSocket(URLExt.join(wsUrl, ROOT, 'events') + credentials);
  }

  private async read<T>(where: string): Promise<T> {
    return (await (await this.call(where)).json()) as T;
  }

  private async call(where: string, init: RequestInit = {}): Promise<Response> {
    // Not all of it through URLExt.join: that would escape the query string's question mark.
    const url = `${URLExt.join(this.settings.baseUrl, '/')}${where}`;
    const response = await this.send(url, init);
    if (!response.ok) {
      throw await this.refusal(response);
    }
    return response;
  }

  private async send(url: string, init: RequestInit): Promise<Response> {
    // Not its default "no-store": that adds the time of day as a query field, which the server refuses.
    const revalidated: RequestInit = { cache: 'no-cache', ...init };
    try {
      return await ServerConnection.makeRequest(url, revalidated, this.settings);
    } catch {
      throw new ApiError(this.trans.__('The Jupyter server does not answer.'));
    }
  }

  /** A problem document speaks for itself; any other answer did not come from gpugen. */
  private async refusal(response: Response): Promise<ApiError> {
    const kind = response.headers.get('Content-Type') ?? '';
    if (kind.includes('problem+json')) {
      const problem = (await response.json()) as IProblem;
      return new ApiError(problem.detail, problem.hint ?? '', problem.errors ?? []);
    }
    if (response.status === 404) {
      return new ApiError(
        this.trans.__('The gpugen extension is not enabled in this Jupyter server.'),
        this.trans.__(
          'Run `pip install "gpugen[lab]"` in the environment that runs JupyterLab and restart it.'
        )
      );
    }
    return new ApiError(
      this.trans.__('The Jupyter server refused the request (status %1).', response.status),
      this.trans.__('Reload the page; the log of the Jupyter server says more.')
    );
  }
}

function path(id: string): string {
  return `${ROOT}/tasks/${encodeURIComponent(id)}`;
}
