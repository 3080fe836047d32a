/** What every view of the panel works with. */

import type { TranslationBundle } from '@jupyterlab/translation';

import type { Desk } from './desk';
import type { GalleryModel } from './gallery';
import type { TaskModel } from './model';
import type { ServiceModel } from './service';
import type { View } from './view';

export interface IContext {
  tasks: TaskModel;
  gallery: GalleryModel;
  service: ServiceModel;
  view: View;
  desk: Desk;
  trans: TranslationBundle;
}
