/** The commands, and where they can be found: palette, launcher. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { ILauncher } from '@jupyterlab/launcher';
import type { TranslationBundle } from '@jupyterlab/translation';

import { panelIcon } from './icon';
import type { View } from './view';

export const OPEN = 'gpugen:open-panel';
const NEW = 'gpugen:new-image';
const GALLERY = 'gpugen:open-gallery';
const CATEGORY = 'gpugen';

export interface IPlaces {
  palette: ICommandPalette | null;
  launcher: ILauncher | null;
}

/** `show` brings the panel to the front. */
export function addCommands(
  app: JupyterFrontEnd,
  view: View,
  show: () => void,
  trans: TranslationBundle
): void {
  const describedBy = { args: { type: 'object' as const, properties: {}, additionalProperties: false } };
  app.commands.addCommand(OPEN, {
    label: trans.__('Open the gpugen Panel'),
    caption: trans.__('Show the queue of image generation tasks'),
    icon: panelIcon,
    describedBy,
    execute: () => {
      show();
    }
  });
  app.commands.addCommand(NEW, {
    label: trans.__('Generate an Image'),
    caption: trans.__('Ask for an image without a notebook cell'),
    icon: panelIcon,
    describedBy,
    execute: () => {
      view.showForm(true);
      show();
    }
  });
  app.commands.addCommand(GALLERY, {
    label: trans.__('Open the gpugen Gallery'),
    caption: trans.__('Show the images there are, across notebooks'),
    icon: panelIcon,
    describedBy,
    execute: () => {
      view.show('gallery');
      show();
    }
  });
}

export function placeCommands({ palette, launcher }: IPlaces, trans: TranslationBundle): void {
  for (const command of [OPEN, NEW, GALLERY]) {
    palette?.addItem({ command, category: CATEGORY });
  }
  launcher?.add({ command: NEW, category: trans.__('Other'), rank: 600 });
}
