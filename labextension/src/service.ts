/** Workers and models, asked for while somebody looks at them. */

import { Poll } from '@lumino/polling';
import { type ISignal, Signal } from '@lumino/signaling';

import { type ApiError, asApiError, type IApi, type ICost, type IModels, type IWorkers } from './types';

const INTERVAL_MS = 5000;

export class ServiceModel {
  constructor(private readonly api: IApi) {
    this.poll = new Poll({
      name: '@gpugen/lab:workers',
      factory: () => this.refresh(),
      frequency: { interval: INTERVAL_MS, backoff: true, max: 60_000 },
      standby: () => (this.visible ? 'when-hidden' : true)
    });
  }

  get workers(): IWorkers | null {
    return this.staff;
  }

  get cost(): ICost | null {
    return this.spent;
  }

  get models(): IModels | null {
    return this.registry;
  }

  get problem(): ApiError | null {
    return this.trouble;
  }

  get changed(): ISignal<this, void> {
    return this.stateChanged;
  }

  setVisible(visible: boolean): void {
    this.visible = visible;
    if (visible) {
      void this.poll.refresh();
    }
  }

  /** The registry of models, which changes only when the server starts. */
  async loadModels(): Promise<void> {
    try {
      this.registry ??= await this.api.models();
      this.stateChanged.emit();
    } catch (error) {
      this.trouble = asApiError(error);
      this.stateChanged.emit();
    }
  }

  dispose(): void {
    this.poll.dispose();
    Signal.clearData(this);
  }

  private async refresh(): Promise<void> {
    try {
      this.staff = await this.api.workers();
      this.spent = await this.api.cost();
      this.registry = await this.api.models();
      this.trouble = null;
    } catch (error) {
      this.trouble = asApiError(error);
      throw error;
    } finally {
      this.stateChanged.emit();
    }
  }

  private readonly poll: Poll;
  private readonly stateChanged = new Signal<this, void>(this);
  private staff: IWorkers | null = null;
  private spent: ICost | null = null;
  private registry: IModels | null = null;
  private trouble: ApiError | null = null;
  private visible = false;
}
