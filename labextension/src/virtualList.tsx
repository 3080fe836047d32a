/** A list of which only the rows on the screen exist: as smooth with thousands as with ten. */

import * as React from 'react';

const BEYOND = 6; // rows kept ready above and below
const NEAR_END = 20; // rows before the end at which more is asked for
const FIRST_HEIGHT = 600; // pixels, until the real one is known

export interface IVirtualListProps {
  count: number;
  /** Pixels; all rows are alike. */
  rowHeight: number;
  label: string;
  /** What is in row `index`; called for the visible ones only. */
  row: (index: number) => React.ReactNode;
  /** Says the same row again after rows were put before it. */
  rowKey: (index: number) => string;
  /** The end is near. */
  onEnd: () => void;
}

export function VirtualList(props: IVirtualListProps): React.JSX.Element {
  const { count, rowHeight, label, row, rowKey, onEnd } = props;
  const box = React.useRef<HTMLDivElement>(null);
  const { top, height } = useViewport(box, rowHeight);
  const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND);
  const end = Math.min(count, Math.ceil((top + height) / rowHeight) + BEYOND);
  const nearEnd = end + NEAR_END >= count;
  React.useEffect(() => {
    if (nearEnd) {
      onEnd();
    }
  }, [nearEnd, count]);
  const indices = Array.from({ length: Math.max(0, end - first) }, (_, offset) => first + offset);
  return (
    <div className="gpugen-panel-scroll" ref={box} tabIndex={-1}>
      <ul className="gpugen-panel-rows" aria-label={label} style={{ height: count * rowHeight }}>
        {indices.map(index => (
          <li
            key={rowKey(index)}
            className="gpugen-panel-row"
            aria-setsize={count}
            aria-posinset={index + 1}
            style={{ height: rowHeight, transform: `translateY(${index * rowHeight}px)` }}
          >
            {row(index)}
          </li>
        ))}
      </ul>
    </div>
  );
}

interface IViewport {
  top: number;
  height: number;
}

/** Scroll position and height of `box`; changes by less than a row change nothing. */
function useViewport(box: React.RefObject<HTMLDivElement>, rowHeight: number): IViewport {
  const [viewport, setViewport] = React.useState<IViewport>({ top: 0, height: FIRST_HEIGHT });
  React.useLayoutEffect(() => {
    const element = box.current;
    if (!element) {
      return;
    }
    const look = (): void => {
      const top = Math.floor(element.scrollTop / rowHeight) * rowHeight;
      const height = element.clientHeight + rowHeight;
      setViewport(old => (old.top === top && old.height === height ? old : { top, height }));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, [box, rowHeight]);
  return viewport;
}
