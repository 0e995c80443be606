import { setAttribute } from './elements.js'
import { rate } from './format.js'
import { colourOf } from './theme.js'

/** Not a module of ours: loaded once the first chart is shown. */
const library = './uPlot.esm.js'
const heightPx = 150
const shortestSpanSeconds = 60

/** A chart of events and rounds per second, for eyes; its label says the same for ears. */
export async function createChart(frame, activity) {
  const { default: Plot } = await import(library)
  let plot

  function build() {
    plot?.destroy()
    const [grid, text, first, second] = ['line', 'faint', 'accent', 'second'].map(colourOf)
    const axis = {
      stroke: text,
      grid: { stroke: grid, width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif'
    }
    plot = new Plot(
      {
        width: Math.max(200, frame.clientWidth),
        height: heightPx,
        legend: { show: false },
        cursor: { show: false },
        padding: [8, 8, 0, 0],
        scales: { x: { time: true, range: spanOf }, y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.1)] } },
        axes: [
          { ...axis, space: 100, size: 26, values: (_plot, seconds) => seconds.map(clockOf) },
          {
            ...axis,
            size: 44,
            values: (_plot, values) => values.map(value => (value >= 10 ? String(Math.round(value)) : String(value)))
          }
        ],
        series: [
          {},
          { stroke: first, width: 2, fill: withAlpha(first, 0.14), points: { show: false } },
          { stroke: second, width: 1.5, dash: [4, 3], points: { show: false } }
        ]
      },
      activity.columns(),
      frame
    )
  }

  build()
  new ResizeObserver(() => {
    if (frame.clientWidth > 0) plot.setSize({ width: frame.clientWidth, height: heightPx })
  }).observe(frame)
  return {
    update() {
      plot.setData(activity.columns())
      const now = activity.latest
      if (now !== undefined)
        setAttribute(
          frame,
          'aria-label',
          `Activity: ${rate(now.eventsPerSecond)} events and ${rate(now.roundsPerSecond)} rounds a second now`
        )
    },
    recolour: build
  }
}

function withAlpha(colour, alpha) {
  return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`)
}

/** A minute at least, so that the first points do not fill the width. */
function spanOf(_plot, first, last) {
  const end = last ?? Date.now() / 1000
  return [Math.min(first ?? end, end - shortestSpanSeconds), end]
}

function clockOf(seconds) {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB')
}
