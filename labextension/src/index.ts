/** Makes the panel and hangs it into JupyterLab; nothing else. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { panelIcon } from './icon';
import { QueueModel } from './model';
import { QueuePanel } from './panel';
import { JupyterApi } from './request';

const OPEN = 'gpugen:open-panel';
const RANK = 600; // below JupyterLab's own panels

const plugin: JupyterFrontEndPlugin<void> = {
  id: '@gpugen/lab:queue',
  description: 'Shows the queue of gpugen tasks in the left side bar.',
  autoStart: true,
  optional: [ICommandPalette, ILayoutRestorer, ITranslator],
  activate
};

function activate(
  app: JupyterFrontEnd,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null,
  translator: ITranslator | null
): void {
  const trans = (translator ?? nullTranslator).load('gpugen');
  const api = new JupyterApi(app.serviceManager.serverSettings, trans);
  const panel = new QueuePanel(new QueueModel(api), trans);
  app.shell.add(panel, 'left', { rank: RANK });
  restorer?.add(panel, panel.id);
  app.commands.addCommand(OPEN, {
    label: trans.__('Open the gpugen Panel'),
    caption: trans.__('Show the queue of image generation tasks'),
    icon: panelIcon,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      app.shell.activateById(panel.id);
    }
  });
  palette?.addItem({ command: OPEN, category: 'gpugen' });
}

export default plugin;
