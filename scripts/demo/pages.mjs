// The demo blog's HTML and feed, as text. All text of visitors is escaped by `escape`.

import { PAGE_SIZE, SUBTITLE, TITLE } from './blog.mjs'

export function escape(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
  return String(text).replace(/[&<>"']/g, (character) => entities[character])
}

const day = (date) => date.toISOString().slice(0, 10)

function layout(title, body, { search = '' } = {}) {
  const now = new Date().toISOString().slice(11, 19)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)}</title><link rel="stylesheet" href="/style.css">
<link rel="alternate" type="application/atom+xml" title="${TITLE}" href="/feed.xml"></head>
<body><header><h1><a href="/">${TITLE}</a></h1><p>${SUBTITLE}</p>
<nav><a href="/">Notes</a><a href="/archive">Archive</a><a href="/tags">Tags</a><a href="/account">Account</a><a href="/feed.xml">Feed</a>
<form action="/search"><input type="search" name="q" aria-label="Search" placeholder="Search" value="${escape(search)}" maxlength="100"></form></nav></header>
<main>${body}
<p class="stamp">The origin made this page at ${now} UTC. Reload: while the time stays, the page comes from the cache.</p></main>
<footer>A demo blog behind Edgekeep. Comments live until the demo is stopped.</footer></body></html>
`
}

function meta(article) {
  const tags = article.tags.map((tag) => `<a href="/tags/${tag}">${tag}</a>`).join(', ')
  const count = article.comments.length
  const comments = count === 0 ? '' : ` · ${count} comment${count === 1 ? '' : 's'}`
  return `<p class="meta"><time datetime="${day(article.date)}">${day(article.date)}</time> · ${tags}${comments}</p>`
}

function teaser(article) {
  return `<article><h2><a href="/articles/${article.slug}">${escape(article.title)}</a></h2>${meta(article)}
<p>${escape(article.paragraphs[0])}</p></article>`
}

export function frontPage(blog, page) {
  const pages = Math.ceil(blog.articles.length / PAGE_SIZE)
  const shown = blog.articles.slice((page - 1) * PAGE_SIZE, page * PAGE_SIZE)
  const newer = page > 1 ? `<a href="${page === 2 ? '/' : `/?page=${page - 1}`}">← newer</a>` : '<span></span>'
  const older = page < pages ? `<a href="/?page=${page + 1}">older →</a>` : '<span></span>'
  const hero = page === 1 ? `<a href="/articles/${shown[0].slug}"><img src="/pictures/${shown[0].slug}.svg" width="800" height="320" alt=""></a>` : ''
  return layout(TITLE, `${hero}${shown.map(teaser).join('\n')}<p class="paging">${newer}<span>${page} of ${pages}</span>${older}</p>`)
}

export function articlePage(article, problem) {
  const comments = article.comments.map(
    ({ author, text, date }) => `<div class="comment"><strong>${escape(author)}</strong>
<span class="meta">${date.toISOString().slice(0, 16).replace('T', ' ')} UTC</span><p>${escape(text)}</p></div>`,
  )
  const notice = problem ? `<p role="alert"><strong>${escape(problem)}</strong></p>` : ''
  return layout(
    article.title,
    `<article><h2>${escape(article.title)}</h2>${meta(article)}
<img src="/pictures/${article.slug}.svg" width="800" height="320" alt="">
${article.paragraphs.map((text) => `<p>${escape(text)}</p>`).join('\n')}</article>
<section id="comments"><h2>Comments</h2>${comments.join('\n') || '<p class="meta">None yet.</p>'}${notice}
<form method="post" action="/articles/${article.slug}/comments">
<input name="author" required maxlength="40" placeholder="Your name" aria-label="Your name">
<textarea name="text" required maxlength="1000" aria-label="Your comment" placeholder="Your comment"></textarea>
<button>Send</button></form></section>`,
  )
}

export function listPage(title, articles) {
  return layout(title, `<h2>${escape(title)}</h2>${articles.map(teaser).join('\n') || '<p>Nothing.</p>'}`)
}

export function searchPage(query, articles) {
  const found = `${articles.length} note${articles.length === 1 ? '' : 's'} with “${escape(query)}”`
  const body = query === '' ? '<p>Type a word above.</p>' : `<p class="meta">${found}</p>${articles.map(teaser).join('\n')}`
  return layout('Search', `<h2>Search</h2>${body}`, { search: query })
}

export function tagsPage(blog) {
  const rows = blog.tags().map(([tag, articles]) => `<tr><td><a href="/tags/${tag}">${tag}</a></td><td>${articles.length}</td></tr>`)
  return layout('Tags', `<h2>Tags</h2><table>${rows.join('\n')}</table>`)
}

export function archivePage(blog) {
  const rows = blog.articles.map(
    (article) => `<tr><td>${day(article.date)}</td><td><a href="/articles/${article.slug}">${escape(article.title)}</a></td></tr>`,
  )
  return layout('Archive', `<h2>Archive</h2><table>${rows.join('\n')}</table>`)
}

export function accountPage(session) {
  return layout(
    'Account',
    `<h2>Your account</h2><p>This page is yours alone: you have opened it <strong>${session.visits}</strong>
time${session.visits === 1 ? '' : 's'}, as visitor <code>${escape(session.name)}</code>. It is never stored in a shared cache.</p>`,
  )
}

export function messagePage(title, text) {
  return layout(title, `<h2>${escape(title)}</h2><p>${escape(text)}</p>`)
}

export function feed(blog, site) {
  const entries = blog.articles.slice(0, 20).map(
    (article) => `<entry><title>${escape(article.title)}</title><id>${escape(`${site}/articles/${article.slug}`)}</id>
<link href="${escape(`${site}/articles/${article.slug}`)}"/><updated>${article.date.toISOString()}</updated>
${article.tags.map((tag) => `<category term="${tag}"/>`).join('')}<summary>${escape(article.paragraphs[0])}</summary></entry>`,
  )
  return `<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>${TITLE}</title><subtitle>${SUBTITLE}</subtitle>
<id>${escape(`${site}/`)}</id><link href="${escape(`${site}/`)}"/><link rel="self" href="${escape(`${site}/feed.xml`)}"/>
<author><name>${TITLE}</name></author><updated>${blog.articles[0].date.toISOString()}</updated>
${entries.join('\n')}
</feed>
`
}
