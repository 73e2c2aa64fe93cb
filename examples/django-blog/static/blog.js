// The two things of a page that are one reader's own come from fragments, which are never stored: the greeting, and the
// comment form with its token. Without scripts, both are pages one can go to.

const fragment = async (address) => {
  const answer = await fetch(address, { credentials: 'same-origin' })
  return answer.ok ? answer.text() : undefined
}

// Nobody signed in: nothing to ask for.
if (/(^|; )member=1/.test(document.cookie)) {
  const reader = document.querySelector('[data-fragment]')
  fragment(reader.dataset.fragment).then((html) => {
    if (html !== undefined) reader.innerHTML = html
  })
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
