/** Small things that several views show. */

import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ApiError } from './types';

export interface INoticeProps {
  problem: ApiError;
  trans: TranslationBundle;
  onDismiss?: () => void;
}

/** What went wrong and what to do. */
export function Notice({ problem, trans, onDismiss }: INoticeProps): React.JSX.Element {
  return (
    <div className="gpugen-panel-notice" role="alert">
      <p>{problem.message}</p>
      {problem.hint && <p className="gpugen-panel-hint">{problem.hint}</p>}
      {onDismiss && <Button label={trans.__('Dismiss')} onClick={onDismiss} />}
    </div>
  );
}

export interface IButtonProps {
  label: string;
  /** What a screen reader says, where the label alone would not tell the buttons apart. */
  name?: string;
  title?: string;
  disabled?: boolean;
  expanded?: boolean;
  onClick: () => void;
}

export function Button({ label, name, title, disabled, expanded, onClick }: IButtonProps): React.JSX.Element {
  return (
    <button
      type="button"
      className="gpugen-panel-button"
      disabled={disabled}
      aria-label={name}
      aria-expanded={expanded}
      title={title}
      onClick={onClick}
    >
      {label}
    </button>
  );
}

export interface IBarProps {
  name: string;
  /** 0 to 1; null: not known, and said so by leaving aria-valuenow out. */
  fraction: number | null;
  text: string;
}

export function Bar({ name, fraction, text }: IBarProps): React.JSX.Element {
  const percent = fraction === null ? undefined : Math.round(fraction * 100);
  const kind = percent === undefined ? ' gpugen-panel-mod-indeterminate' : '';
  return (
    <div
      className={`gpugen-panel-bar${kind}`}
      role="progressbar"
      aria-label={name}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
      aria-valuetext={text}
    >
      <div className="gpugen-panel-bar-fill" style={{ width: `${percent ?? 100}%` }} />
    </div>
  );
}
