/** Makes the panel and hangs it into JupyterLab, or Notebook 7; nothing else. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator, type TranslationBundle } from '@jupyterlab/translation';

import { addCommands, placeCommands } from './commands';
import type { IContext } from './context';
import { Desk } from './desk';
import { GalleryModel } from './gallery';
import { TaskModel } from './model';
import { GpugenPanel } from './panel';
import { JupyterApi } from './request';
import { ServiceModel } from './service';
import { StatusItem } from './status';
import { View } from './view';

const PLUGIN = '@gpugen/lab:panel';
const RANK = 600; // below JupyterLab's own panels

const plugin: JupyterFrontEndPlugin<void> = {
  id: PLUGIN,
  description: 'Adds a panel with the queue, the gallery and the workers of gpugen.',
  autoStart: true,
  // Each may be missing: Notebook 7 has no launcher and no status bar, say.
  optional: [
    ICommandPalette,
    IDefaultFileBrowser,
    ILauncher,
    ILayoutRestorer,
    INotebookTracker,
    ISettingRegistry,
    IStateDB,
    IStatusBar,
    ITranslator
  ],
  activate
};

function activate(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  browser: IDefaultFileBrowser | null,
  launcher: ILauncher | null,
  restorer: ILayoutRestorer | null,
  tracker: INotebookTracker | null,
  settings: ISettingRegistry | null,
  state: IStateDB | null,
  statusBar: IStatusBar | null,
  translator: ITranslator | null
): void {
  const trans = (translator ?? nullTranslator).load('gpugen');
  const context = makeContext(app, trans, tracker, browser);
  const panel = new GpugenPanel(context);
  const show = (): void => {
    app.shell.activateById(panel.id);
  };
  app.shell.add(panel, 'left', { rank: RANK });
  restorer?.add(panel, panel.id);
  addCommands(app, context.view, show, trans);
  placeCommands({ palette, launcher }, trans);
  statusBar?.registerStatusItem(PLUGIN, {
    item: new StatusItem(context.tasks, trans, show),
    align: 'left',
    rank: RANK
  });
  void followSettings(app, panel, settings);
  void keepView(app, context.view, state);
}

function makeContext(
  app: JupyterFrontEnd,
  trans: TranslationBundle,
  tracker: INotebookTracker | null,
  browser: IDefaultFileBrowser | null
): IContext {
  const api = new JupyterApi(app.serviceManager.serverSettings, trans);
  return {
    tasks: new TaskModel(api),
    gallery: new GalleryModel(api),
    service: new ServiceModel(api),
    view: new View(),
    desk: new Desk(api, app.serviceManager.contents, tracker, browser),
    trans
  };
}

/** The side of the window is the user's choice, and changes at once. */
async function followSettings(
  app: JupyterFrontEnd,
  panel: GpugenPanel,
  registry: ISettingRegistry | null
): Promise<void> {
  if (!registry) {
    return;
  }
  const settings = await registry.load(PLUGIN);
  let side = 'left';
  const follow = (): void => {
    const wanted = settings.get('side').composite;
    if (wanted !== side && (wanted === 'left' || wanted === 'right')) {
      side = wanted;
      app.shell.add(panel, side, { rank: RANK });
    }
  };
  follow();
  settings.changed.connect(follow);
}

/** Where the user was comes back with the page. */
async function keepView(app: JupyterFrontEnd, view: View, state: IStateDB | null): Promise<void> {
  if (!state) {
    return;
  }
  await app.restored;
  view.restore(await state.fetch(PLUGIN));
  view.changed.connect(() => {
    void state.save(PLUGIN, view.save());
  });
}

export default plugin;
