/** The images there are: searched, newest first, each a way to its details. */

import * as React from 'react';

import type { IContext } from './context';
import type { IPicture } from './gallery';
import { Notice } from './parts';
import { VirtualList } from './virtualList';

const NARROW = 96; // CSS pixels: the smallest side of a tile
const GAP = 8; // as in style/index.css
const TILE_PIXELS = 256;

export function GalleryView({ context }: { context: IContext }): React.JSX.Element {
  const { gallery, service, trans } = context;
  React.useEffect(() => {
    void gallery.load();
    void service.loadModels();
  }, [gallery, service]);
  const { pictures, problem, search } = gallery;
  return (
    <>
      <Search context={context} />
      {problem && <Notice problem={problem} trans={trans} />}
      {pictures?.length === 0 && !problem && (
        <p className="gpugen-panel-empty" role="status">
          {search.q || search.model ? trans.__('No image fits.') : trans.__('No images yet.')}
        </p>
      )}
      {pictures && pictures.length > 0 && <Tiles context={context} pictures={pictures} />}
    </>
  );
}

function Search({ context: { gallery, service, trans } }: { context: IContext }): React.JSX.Element {
  const { q, model } = gallery.search;
  return (
    <div className="gpugen-panel-search" role="search">
      <input
        type="search"
        aria-label={trans.__('Search prompts')}
        placeholder={trans.__('Search')}
        value={q}
        onChange={event => {
          gallery.find(event.target.value, model);
        }}
      />
      <select
        aria-label={trans.__('Model')}
        value={model}
        onChange={event => {
          gallery.find(q, event.target.value);
        }}
      >
        <option value="">{trans.__('all models')}</option>
        {service.models?.models.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

interface ITilesProps {
  context: IContext;
  pictures: readonly IPicture[];
}

/** As many in a row as there is room for. */
function Tiles({ context, pictures }: ITilesProps): React.JSX.Element {
  const box = React.useRef<HTMLDivElement>(null);
  const { columns, side } = useGrid(box);
  const line = (index: number): readonly IPicture[] => pictures.slice(index * columns, (index + 1) * columns);
  return (
    <div className="gpugen-panel-tiles" ref={box}>
      <VirtualList
        count={Math.ceil(pictures.length / columns)}
        rowHeight={side + GAP}
        label={context.trans.__('Images, newest first')}
        rowKey={index => String(index)}
        row={index => (
          <div
            className="gpugen-panel-tile-line"
            style={{ gridTemplateColumns: `repeat(${columns}, 1fr)`, height: side }}
          >
            {line(index).map(picture => (
              <Tile key={`${picture.task.id} ${picture.image.index}`} context={context} {...picture} />
            ))}
          </div>
        )}
        onEnd={() => void context.gallery.more()}
      />
    </div>
  );
}

function Tile({ context, task, image }: { context: IContext } & IPicture): React.JSX.Element {
  const { prompt } = task.request;
  const url = context.tasks.pictures.get(task, image, TILE_PIXELS);
  return (
    <button
      type="button"
      className="gpugen-panel-tile"
      title={prompt}
      aria-label={prompt}
      onClick={() => {
        context.view.showDetail(task.id);
      }}
    >
      {url && <img src={url} alt="" />}
    </button>
  );
}

interface IGrid {
  columns: number;
  /** Of a tile, which is a square; CSS pixels. */
  side: number;
}

function useGrid(box: React.RefObject<HTMLDivElement>): IGrid {
  const [width, setWidth] = React.useState(2 * NARROW + GAP);
  React.useLayoutEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const look = (): void => {
      const list = element.firstElementChild ?? element;
      setWidth(list.clientWidth); // without the scroll bar
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      observer.disconnect();
    };
  }, [box]);
  const columns = Math.max(1, Math.floor((width + GAP) / (NARROW + GAP)));
  return { columns, side: Math.max(1, Math.floor((width - (columns - 1) * GAP) / columns)) };
}
