/** One task in full: its images, recipe, log, and everything that can be done with it. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import * as React from 'react';

import type { IContext } from './context';
import { fraction, recipeText, statusText } from './format';
import { Bar, Button } from './parts';
import { isFinished, type IImage, type ITask } from './types';

const LARGE = 512; // pixels: wider than a side bar usually is, even at high density

export function DetailView({ context, id }: { context: IContext; id: string }): React.JSX.Element {
  const { tasks, gallery, view, trans } = context;
  const task = tasks.get(id) ?? gallery.task(id);
  React.useEffect(() => {
    if (!task) {
      void tasks.need(id);
    }
  }, [tasks, task, id]);
  return (
    <section className="gpugen-panel-detail" aria-label={trans.__('Task')}>
      <div className="gpugen-panel-buttons">
        <button
          type="button"
          className="gpugen-panel-button"
          autoFocus
          onClick={() => {
            view.showDetail(null);
          }}
        >
          {trans.__('Back')}
        </button>
      </div>
      {task ? (
        <Detail context={context} task={task} />
      ) : (
        <p>{trans.__('This task is not there any more.')}</p>
      )}
    </section>
  );
}

function Detail({ context, task }: { context: IContext; task: ITask }): React.JSX.Element {
  const { trans } = context;
  const { prompt, negative_prompt } = task.request;
  const [chosen, choose] = React.useState(0);
  const image = task.images[Math.min(chosen, task.images.length - 1)];
  const status = statusText(task, trans);
  return (
    <>
      <Picture context={context} task={task} image={image} />
      {task.images.length > 1 && <Chooser context={context} task={task} chosen={image} choose={choose} />}
      <p className="gpugen-panel-detail-prompt">{prompt}</p>
      {negative_prompt && <p className="gpugen-panel-hint">{trans.__('not: %1', negative_prompt)}</p>}
      <p className="gpugen-panel-hint">{recipeText(task, trans)}</p>
      <p className={`gpugen-panel-mod-${task.state}`}>{status}</p>
      {task.error?.hint && <p className="gpugen-panel-hint">{task.error.hint}</p>}
      {!isFinished(task) && <Bar name={prompt} fraction={fraction(task)} text={status} />}
      <p className="gpugen-panel-hint">{trans.__('task %1', task.id)}</p>
      <Actions context={context} task={task} image={image} />
      <Log context={context} task={task} />
    </>
  );
}

interface IShown {
  context: IContext;
  task: ITask;
  image: IImage | undefined;
}

function Picture({ context: { tasks }, task, image }: IShown): React.JSX.Element {
  const url = image && (tasks.pictures.get(task, image, LARGE) ?? null);
  const shown = url ?? (image ? null : tasks.preview(task));
  return (
    <div className="gpugen-panel-detail-picture">
      {shown && <img src={shown} alt={task.request.prompt} />}
    </div>
  );
}

interface IChooserProps {
  context: IContext;
  task: ITask;
  chosen: IImage | undefined;
  choose: (position: number) => void;
}

function Chooser({ context: { tasks, trans }, task, chosen, choose }: IChooserProps): React.JSX.Element {
  return (
    <div className="gpugen-panel-chooser" role="group" aria-label={trans.__('Images of this task')}>
      {task.images.map((image, position) => (
        <button
          key={image.index}
          type="button"
          className="gpugen-panel-tile"
          aria-label={trans.__('Image with seed %1', image.seed)}
          aria-pressed={image === chosen}
          onClick={() => {
            choose(position);
          }}
        >
          <img src={tasks.pictures.get(task, image, 128) ?? undefined} alt="" />
        </button>
      ))}
    </div>
  );
}

function Actions(shown: IShown): React.JSX.Element {
  const { context, task, image } = shown;
  const { desk, tasks, trans } = context;
  const [said, say] = React.useState('');
  const run = (action: () => Promise<string>): void => {
    void action().then(say, (error: unknown) => {
      say(error instanceof Error ? error.message : String(error));
    });
  };
  return (
    <>
      <div className="gpugen-panel-actions">
        <Button
          label={trans.__('Insert cell')}
          title={
            desk.hasNotebook
              ? trans.__('Insert the %1 cell that draws this again', '%%gpugen')
              : trans.__('Open a notebook first')
          }
          disabled={!desk.hasNotebook}
          onClick={() => {
            run(() => desk.insertDraw(task).then(() => trans.__('The cell is in the notebook.')));
          }}
        />
        {image && <ImageButtons {...shown} image={image} run={run} />}
        <Button
          label={trans.__('Copy prompt')}
          onClick={() => {
            run(() => desk.copy(task.request.prompt).then(() => trans.__('Copied.')));
          }}
        />
        {isFinished(task) ? (
          <FinishedButtons {...shown} />
        ) : (
          <Button label={trans.__('Cancel')} onClick={() => void tasks.act(api => api.cancel(task.id))} />
        )}
      </div>
      <p className="gpugen-panel-hint" role="status">
        {said}
      </p>
    </>
  );
}

interface IImageButtons {
  context: IContext;
  task: ITask;
  image: IImage;
  run: (action: () => Promise<string>) => void;
}

function ImageButtons({ context: { desk, trans }, task, image, run }: IImageButtons): React.JSX.Element {
  return (
    <>
      <Button
        label={trans.__('Insert image')}
        title={
          desk.hasNotebook
            ? trans.__('Insert a cell that shows these images')
            : trans.__('Open a notebook first')
        }
        disabled={!desk.hasNotebook}
        onClick={() => {
          run(() => desk.insertShow(task).then(() => trans.__('The cell is in the notebook.')));
        }}
      />
      <Button
        label={trans.__('Save')}
        title={trans.__("Save the image into the file browser's folder")}
        onClick={() => {
          run(() => desk.save(task, image).then(path => trans.__('Saved as %1', path)));
        }}
      />
    </>
  );
}

function FinishedButtons({ context, task }: IShown): React.JSX.Element {
  const { tasks, trans } = context;
  return (
    <>
      <Button
        label={trans.__('Another seed')}
        title={trans.__('Run it again with another seed')}
        onClick={() => void tasks.reseed(task)}
      />
      {task.state !== 'succeeded' && (
        <Button label={trans.__('Try again')} onClick={() => void tasks.act(api => api.retry(task.id))} />
      )}
      <Button label={trans.__('Delete')} onClick={() => void remove(context, task)} />
    </>
  );
}

/** What cannot be undone is asked once more. */
async function remove({ tasks, gallery, view, trans }: IContext, task: ITask): Promise<void> {
  const answer = await showDialog({
    title: trans.__('Delete this task?'),
    body: trans.__('Its images are deleted from the server, too. Notebooks keep the pictures they hold.'),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Keep') }),
      Dialog.warnButton({ label: trans.__('Delete') })
    ]
  });
  if (answer.button.accept && (await tasks.remove(task.id))) {
    gallery.drop(task.id);
    view.showDetail(null);
  }
}

/** What the worker said; asked for when it is unfolded, and again when the task moved on. */
function Log({ context: { tasks, trans }, task }: { context: IContext; task: ITask }): React.JSX.Element {
  const [open, setOpen] = React.useState(false);
  const [lines, setLines] = React.useState<readonly string[] | null>(null);
  React.useEffect(() => {
    let current = true;
    if (open) {
      void tasks.log(task.id).then(found => {
        if (current) {
          setLines(found);
        }
      });
    }
    return () => {
      current = false;
    };
  }, [open, tasks, task.id, task.state, task.phase, task.images.length]);
  return (
    <>
      <Button
        label={open ? trans.__('Hide log') : trans.__('Show log')}
        expanded={open}
        onClick={() => {
          setOpen(!open);
        }}
      />
      {open && lines && (
        <pre className="gpugen-panel-log" tabIndex={0} aria-label={trans.__('Log')}>
          {lines.length ? lines.join('\n') : trans.__('The worker has said nothing.')}
        </pre>
      )}
    </>
  );
}
