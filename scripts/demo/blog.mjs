// The data of the demo blog: its articles, and the comments of visitors while it runs.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export const TITLE = 'The Lamp Room'
export const SUBTITLE = 'notes on lighthouses, weather and the sea'
export const PAGE_SIZE = 6

/** Limits for a demo, so that a visitor cannot fill the memory. */
const LIMITS = { author: 40, comment: 1_000, commentsAnArticle: 50, commentsInAll: 500 }

/** Parses one article: a line `# slug | title | date | tags`, then its paragraphs, one a line. */
function readArticles() {
  const text = readFileSync(new URL('articles.txt', import.meta.url), 'utf8')
  return text.split(/^# /m).slice(1).map((block) => {
    const [head, ...lines] = block.trim().split('\n')
    const [slug, title, date, tags] = head.split(' | ')
    return { slug, title, date: new Date(`${date}T07:00:00Z`), tags: tags.split(', '), paragraphs: lines, comments: [] }
  })
}

export class Blog {
  articles = readArticles()
  commentCount = 0

  article(slug) {
    return this.articles.find((article) => article.slug === slug)
  }

  /** Tags with their articles, the most frequent first. */
  tags() {
    const tags = new Map()
    for (const article of this.articles) {
      for (const tag of article.tags) tags.set(tag, [...(tags.get(tag) ?? []), article])
    }
    return [...tags].sort((a, b) => b[1].length - a[1].length || a[0].localeCompare(b[0]))
  }

  tagged(tag) {
    return this.articles.filter((article) => article.tags.includes(tag))
  }

  search(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean)
    if (words.length === 0) return []
    return this.articles.filter((article) => {
      const text = [article.title, ...article.tags, ...article.paragraphs].join(' ').toLowerCase()
      return words.every((word) => text.includes(word))
    })
  }

  /** Adds a comment and returns undefined, or returns the error. */
  addComment(article, author, text) {
    if (author === '' || text === '') return 'Please fill in your name and a comment.'
    if (author.length > LIMITS.author) return `A name has at most ${LIMITS.author} characters.`
    if (text.length > LIMITS.comment) return `A comment has at most ${LIMITS.comment} characters.`
    if (article.comments.length >= LIMITS.commentsAnArticle || this.commentCount >= LIMITS.commentsInAll) {
      return 'There is no room for more comments until the demo is started again.'
    }
    article.comments.push({ author, text, date: new Date() })
    this.commentCount += 1
    return undefined
  }

  /** Time of the last change of the site. */
  changed(articles = this.articles) {
    const times = articles.flatMap(({ date, comments }) => [date, ...comments.map((comment) => comment.date)])
    return new Date(Math.max(...times.map(Number), 0))
  }
}

/** A drawing for an article, which depends only on its slug. */
export function picture(slug) {
  const dice = createHash('sha256').update(slug).digest()
  const at = (index, low, high) => low + (dice[index] / 255) * (high - low)
  const hue = Math.round(at(0, 190, 290))
  const x = Math.round(at(1, 150, 650))
  const top = Math.round(at(2, 70, 130))
  const beam = Math.round(at(3, -60, 60))
  const side = dice[4] % 2 === 0 ? 900 : -100
  const wave = (index, y) => {
    const swell = Math.round(at(index, 8, 26))
    return `M0 ${y} q 50 ${-swell} 100 0 ${'t 100 0 '.repeat(7)} V 320 H 0 Z`
  }
  const stars = Array.from(dice.subarray(8, 26), (byte, index) =>
    `<circle cx="${(byte * 37 + index * 91) % 800}" cy="${(byte * 13 + index * 29) % 150}" r="${1 + (byte % 2)}"/>`,
  ).join('')
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 320" role="img">
<defs><linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="hsl(${hue} 45% 18%)"/>
<stop offset="1" stop-color="hsl(${hue + 30} 60% 62%)"/></linearGradient></defs>
<rect width="800" height="320" fill="url(#sky)"/><g fill="#fff" opacity=".7">${stars}</g>
<path d="M${x} ${top + 12} L${side} ${top - 60 + beam} V ${top + 70 + beam} Z" fill="#ffe9a8" opacity=".45"/>
<path d="M${x - 22} 270 L${x - 13} ${top + 24} H ${x + 13} L${x + 22} 270 Z" fill="#f6f1e7"/>
<path d="M${x - 17} ${top + 90} H ${x + 17} L${x + 19} ${top + 130} H ${x - 19} Z" fill="#b3382c"/>
<rect x="${x - 10}" y="${top}" width="20" height="24" fill="#ffe9a8"/><path d="M${x - 14} ${top} L${x} ${top - 16} L${x + 14} ${top} Z" fill="#b3382c"/>
<path d="${wave(5, 262)}" fill="hsl(${hue} 45% 30%)"/><path d="${wave(6, 285)}" fill="hsl(${hue} 50% 22%)"/></svg>
`
}
