// The comment form, with its reader's token, comes from a fragment that is never stored, when somebody wants it. Without scripts it is a page
// one can go to. (The greeting in the corner is put into the page before it gets here.)

const fragment = async (address) => {
  const answer = await fetch(address, { credentials: 'same-origin' })
  return answer.ok ? answer.text() : undefined
}

for (const link of document.querySelectorAll('[data-form]')) {
  link.addEventListener('click', async (event) => {
    event.preventDefault()
    const html = await fragment(link.dataset.form).catch(() => undefined)
    if (html === undefined) return location.assign(link.href)
    const place = link.parentElement
    place.outerHTML = `<div class="new-comment">${html}</div>`
    document.querySelector('.new-comment textarea').focus()
  })
}

// Says that the page has changed meanwhile, once the new one is everywhere. The edge tells Django of each purge, and Django tells the page.
// Who only glances at a page costs Django nothing.

const STAYS_MS = 5_000

function tellChanges(address) {
  const stream = new EventSource(address)
  stream.addEventListener('change', ({ data }) => {
    stream.close()
    setTimeout(() => {
      const notice = document.createElement('p')
      notice.className = 'changed'
      notice.setAttribute('role', 'status')
      notice.innerHTML = 'This page has changed. <a href="">Show it anew</a>'
      document.body.append(notice)
    }, Number(data))
  })
}

const changing = document.querySelector('[data-changes]')
if (changing) setTimeout(tellChanges, STAYS_MS, changing.dataset.changes)
