/** The icon in the side bar: a picture with a spark. */

import { LabIcon } from '@jupyterlab/ui-components';

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3 jp-icon-selectable" fill="#616161" d="M4 4h9v2H4v11.2l4.2-4.7 3 3.2 4.3-5.2L20 16v-6h2v9a2 2 0 0 1-2 2H4a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2zm14-3 1.3 3.7L23 6l-3.7 1.3L18 11l-1.3-3.7L13 6l3.7-1.3z"/>
</svg>`;

export const panelIcon = new LabIcon({ name: 'gpugen:panel', svgstr: SVG });
