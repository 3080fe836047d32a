/** Who draws, what the autoscaler does, and what can be asked for. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { IContext } from './context';
import { costText } from './format';
import { Notice } from './parts';
import type { IMachine, IModel, IWorker } from './types';

export function WorkersView({ context }: { context: IContext }): React.JSX.Element {
  const { service, trans } = context;
  React.useEffect(() => {
    service.setVisible(true);
    return () => {
      service.setVisible(false);
    };
  }, [service]);
  const { workers, models, cost, problem } = service;
  const spent = cost ? costText(cost, trans) : '';
  return (
    <div className="gpugen-panel-scroll gpugen-panel-workers" tabIndex={0} role="group">
      {problem && <Notice problem={problem} trans={trans} />}
      <h3>{trans.__('Workers')}</h3>
      {workers && <Autoscaler kind={workers.autoscaler} text={workers.autoscaler_text} trans={trans} />}
      {spent && <p className="gpugen-panel-hint">{spent}</p>}
      {workers?.workers.length === 0 && <p>{trans.__('No worker is here.')}</p>}
      <ul>
        {workers?.machines
          .filter(machine => machine.worker === null) // else its worker stands for it
          .map(machine => (
            <MachineItem key={machine.name} machine={machine} trans={trans} />
          ))}
        {workers?.workers.map(worker => (
          <WorkerItem key={worker.id} worker={worker} trans={trans} />
        ))}
      </ul>
      <h3>{trans.__('Models')}</h3>
      <ul>
        {models?.models.map(model => (
          <ModelItem key={model.name} model={model} isDefault={model.name === models.default} trans={trans} />
        ))}
      </ul>
    </div>
  );
}

interface IAutoscalerProps {
  kind: string;
  text: string;
  trans: TranslationBundle;
}

function Autoscaler({ kind, text, trans }: IAutoscalerProps): React.JSX.Element {
  const says = kind === 'none' ? trans.__('Workers are started by hand.') : trans.__('Autoscaler: %1', kind);
  return (
    <p className="gpugen-panel-hint" role="status">
      {text || says}
    </p>
  );
}

interface IMachineItemProps {
  machine: IMachine;
  trans: TranslationBundle;
}

function MachineItem({ machine, trans }: IMachineItemProps): React.JSX.Element {
  const { name, state, text, hourly } = machine;
  const words = {
    asked: trans.__('asked for'),
    up: trans.__('starting'),
    serving: trans.__('serving'),
    leaving: trans.__('leaving')
  };
  const price = hourly ? trans.__('about $%1 an hour', hourly.toFixed(2)) : '';
  return (
    <li data-state={state}>
      <span className="gpugen-panel-worker-name">{name}</span> {words[state]}
      <p className="gpugen-panel-hint">{[text, price].filter(part => part).join(' · ')}</p>
    </li>
  );
}

function WorkerItem({ worker, trans }: { worker: IWorker; trans: TranslationBundle }): React.JSX.Element {
  const { name, state, text, device, models } = worker;
  return (
    <li data-state={state}>
      <span className="gpugen-panel-worker-name">{name}</span> {stateWords(state, trans)}
      <p className="gpugen-panel-hint">
        {[text, device, models.join(', ')].filter(part => part).join(' · ')}
      </p>
    </li>
  );
}

function stateWords(state: string, trans: TranslationBundle): string {
  const words: Record<string, string> = {
    idle: trans.__('idle'),
    busy: trans.__('busy'),
    draining: trans.__('finishing'),
    'set aside': trans.__('set aside'),
    gone: trans.__('gone')
  };
  return words[state] ?? state;
}

interface IModelItemProps {
  model: IModel;
  isDefault: boolean;
  trans: TranslationBundle;
}

function ModelItem({ model, isDefault, trans }: IModelItemProps): React.JSX.Element {
  const { name, title, width, height, steps, guidance, licence, licence_url } = model;
  return (
    <li>
      <span className="gpugen-panel-worker-name">{name}</span> {isDefault && trans.__('default')}
      {title && <p>{title}</p>}
      <p className="gpugen-panel-hint">
        {trans.__('%1×%2, %3 steps, guidance %4', width, height, steps, guidance)}
      </p>
      <p className="gpugen-panel-hint">
        {trans.__('Licence:')}{' '}
        {licence_url ? (
          <a href={licence_url} target="_blank" rel="noreferrer noopener">
            {licence}
          </a>
        ) : (
          licence
        )}
      </p>
    </li>
  );
}
