/** The only file that calls the Jupyter server, which passes each request on to the gpugen server. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ApiError, type IApi, type ITask } from './types';

const ROOT = 'gpugen/api/v1';
const NEWEST = 50; // rows nobody scrolls past; older ones are what a gallery is for
const THUMBNAIL_PIXELS = 128; // 48 CSS pixels on a screen of high density, with some air

export class JupyterApi implements IApi {
  constructor(
    private readonly settings: ServerConnection.ISettings,
    private readonly trans: TranslationBundle
  ) {}

  async tasks(): Promise<ITask[]> {
    const response = await this.call(`tasks?limit=${NEWEST}`);
    return ((await response.json()) as { tasks: ITask[] }).tasks;
  }

  async cancel(id: string): Promise<void> {
    await this.call(`tasks/${encodeURIComponent(id)}/cancel`, { method: 'POST' });
  }

  async thumbnail(id: string, index: number): Promise<Blob> {
    const path = `tasks/${encodeURIComponent(id)}/images/${index}?thumbnail=${THUMBNAIL_PIXELS}`;
    return (await this.call(path)).blob();
  }

  private async call(path: string, init: RequestInit = {}): Promise<Response> {
    // Not URLExt.join: it would escape the query string's question mark.
    const url = `${URLExt.join(this.settings.baseUrl, ROOT)}/${path}`;
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
      const problem = (await response.json()) as { detail: string; hint?: string };
      return new ApiError(problem.detail, problem.hint ?? '');
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
