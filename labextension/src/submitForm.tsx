/** A small form for an image without a cell. The server alone says what is wrong, field by field. */

import * as React from 'react';

import type { IContext } from './context';
import { Button } from './parts';
import { ApiError, asApiError, type IModel, type Wish } from './types';

const NUMBER_FIELDS = ['width', 'height', 'steps', 'n', 'seed'] as const;
const NUMBERS: ReadonlySet<string> = new Set(NUMBER_FIELDS);

export function SubmitForm({ context }: { context: IContext }): React.JSX.Element {
  const { service, trans, view } = context;
  const { problem, busy, onSubmit } = useSubmit(context);
  const [name, setName] = React.useState('');
  React.useEffect(() => void service.loadModels(), [service]);
  const models = service.models;
  const model = models?.models.find(known => known.name === (name || models.default));
  const elsewhere = problem && !problem.fields.length ? problem : null;
  return (
    <form className="gpugen-panel-form" aria-label={trans.__('New image')} noValidate onSubmit={onSubmit}>
      <Field name="prompt" label={trans.__('Prompt')} problem={problem}>
        {props => <textarea {...props} rows={3} autoFocus />}
      </Field>
      <Field name="negative_prompt" label={trans.__('What it must not show')} problem={problem}>
        {props => <input {...props} type="text" />}
      </Field>
      <ModelField context={context} name={name} onName={setName} problem={problem} />
      <Numbers context={context} model={model} problem={problem} />
      {elsewhere && (
        <p className="gpugen-panel-field-problem" role="alert">
          {elsewhere.message} {elsewhere.hint}
        </p>
      )}
      <div className="gpugen-panel-buttons">
        <button type="submit" className="gpugen-panel-button gpugen-panel-mod-main" disabled={busy}>
          {trans.__('Generate')}
        </button>
        <Button
          label={trans.__('Close')}
          onClick={() => {
            view.showForm(false);
          }}
        />
      </div>
    </form>
  );
}

interface IModelFieldProps {
  context: IContext;
  /** Empty: the server's default. */
  name: string;
  onName: (name: string) => void;
  problem: ApiError | null;
}

function ModelField({ context, name, onName, problem }: IModelFieldProps): React.JSX.Element {
  const { service, trans } = context;
  const models = service.models;
  return (
    <Field name="model" label={trans.__('Model')} problem={problem}>
      {props => (
        <select
          {...props}
          value={name}
          onChange={event => {
            onName(event.target.value);
          }}
        >
          <option value="">{models ? trans.__('%1 (default)', models.default) : trans.__('default')}</option>
          {models?.models.map(known => (
            <option key={known.name} value={known.name}>
              {known.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface INumbersProps {
  context: IContext;
  model: IModel | undefined;
  problem: ApiError | null;
}

/** Left empty, each is what stands there in grey. */
function Numbers({ context: { trans }, model, problem }: INumbersProps): React.JSX.Element {
  const labels = {
    width: trans.__('Width'),
    height: trans.__('Height'),
    steps: trans.__('Steps'),
    n: trans.__('Images'),
    seed: trans.__('Seed')
  };
  const usual: Record<string, string | undefined> = {
    width: model?.width.toString(),
    height: model?.height.toString(),
    steps: model?.steps.toString(),
    n: '1',
    seed: trans.__('random')
  };
  return (
    <div className="gpugen-panel-numbers">
      {NUMBER_FIELDS.map(name => (
        <Field key={name} name={name} label={labels[name]} problem={problem}>
          {props => <input {...props} type="text" inputMode="numeric" placeholder={usual[name]} />}
        </Field>
      ))}
    </div>
  );
}

interface IControl {
  id: string;
  name: string;
  'aria-invalid': boolean;
  'aria-describedby': string | undefined;
}

interface IFieldProps {
  name: string;
  label: string;
  problem: ApiError | null;
  children: (props: IControl) => React.JSX.Element;
}

/** A labelled control, with what the server said about it. */
function Field({ name, label, problem, children }: IFieldProps): React.JSX.Element {
  const id = `gpugen-form-${name}`;
  const wrong = problem?.fields.find(field => field.path === name)?.message;
  return (
    <div className="gpugen-panel-field">
      <label htmlFor={id}>{label}</label>
      {children({
        id,
        name,
        'aria-invalid': wrong !== undefined,
        'aria-describedby': wrong === undefined ? undefined : `${id}-problem`
      })}
      {wrong !== undefined && (
        <span id={`${id}-problem`} className="gpugen-panel-field-problem" role="alert">
          {wrong}
        </span>
      )}
    </div>
  );
}

interface ISubmit {
  problem: ApiError | null;
  busy: boolean;
  onSubmit: (event: React.FormEvent<HTMLFormElement>) => void;
}

function useSubmit({ tasks }: IContext): ISubmit {
  const [problem, setProblem] = React.useState<ApiError | null>(null);
  const [busy, setBusy] = React.useState(false);
  const send = async (wish: Wish): Promise<void> => {
    setBusy(true);
    try {
      await tasks.submit(wish);
      setProblem(null);
    } catch (error) {
      setProblem(asApiError(error));
    } finally {
      setBusy(false);
    }
  };
  const onSubmit = (event: React.FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    void send(toWish(new FormData(event.currentTarget)));
  };
  return { problem, busy, onSubmit };
}

/** What was typed, as it is: what is no number is sent as text, for the server to refuse in its own words. */
export function toWish(form: FormData): Wish {
  const wish: Record<string, string | number> = { prompt: '' };
  for (const [name, value] of form.entries()) {
    const text = typeof value === 'string' ? value.trim() : '';
    if (text) {
      wish[name] = NUMBERS.has(name) && /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    }
  }
  return wish as Wish;
}
