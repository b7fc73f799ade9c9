// The map of images: what lies under the pointer, or has the focus, or was tapped, is shown beside it.
export default function ({ parentElement, data }) {
  const find = (name) => parentElement.querySelector(name)
  const drawing = find(".drawing")
  drawing.innerHTML = data.svg
  drawing.querySelectorAll("title").forEach((title) => title.remove()) // the image says it
  const marks = new Map([...drawing.querySelectorAll("[data-k]")].map((m) => [Number(m.dataset.k), m]))
  marks.forEach((mark) => mark.setAttribute("tabindex", "-1"))

  const paint = (tile, k) => {
    const [column, row] = [k % data.columns, Math.floor(k / data.columns)]
    const side = tile.clientWidth || 48
    tile.style.backgroundImage = `url(${data.sprite})`
    tile.style.backgroundSize = `${side * data.columns}px auto`
    tile.style.backgroundPosition = `${-column * side}px ${-row * side}px`
  }
  const nearest = (k, name) => {
    const apart = (o) => (data.points[o].x - data.points[k].x) ** 2 + (data.points[o].y - data.points[k].y) ** 2
    const others = data.points.map((_, o) => o).filter((o) => o !== k && data.points[o].set === name)
    return others.length ? others.reduce((a, b) => (apart(b) < apart(a) ? b : a)) : null
  }
  const tile = (k, words, large) => {
    const box = document.createElement("figure")
    const image = box.appendChild(document.createElement("div"))
    image.className = large ? "tile large" : "tile"
    image.setAttribute("role", "img")
    image.setAttribute("aria-label", words)
    box.appendChild(document.createElement("figcaption")).textContent = words
    return [box, () => paint(image, k)]
  }
  const show = (k) => {
    marks.forEach((mark, other) => mark.classList.toggle("chosen", other === k))
    const point = data.points[k]
    const near = Object.keys(data.names).map((name) => [nearest(k, name), data.names[name].split(" ")[0]])
    const [first, draw] = tile(k, `${data.names[point.set]} ${point.index}`, true)
    const others = near.filter(([o]) => o !== null).map(([o, words]) => tile(o, words, false))
    const row = document.createElement("div")
    row.className = "row"
    row.append(...others.map(([box]) => box))
    const words = document.createElement("p")
    words.textContent = "Nearest on the map"
    find(".beside").replaceChildren(first, words, row)
    for (const after of [draw, ...others.map(([, d]) => d)]) after()
  }
  const chosen = (event) => event.target.closest?.("[data-k]")
  const on = (event) => { const mark = chosen(event); if (mark) show(Number(mark.dataset.k)) }
  drawing.onpointerover = on
  drawing.onclick = on
}
