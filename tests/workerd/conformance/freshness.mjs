// RFC 9111 §5.3 (Expires), §5.1 (Age), §4.2.3 (current age), RFC 9110 §5.6.7 (dates) and §6.6.1 (Date).

import { asctime, asked, at, date, fill, hit, miss, must, optimal, res, rfc850, wait } from './play.mjs'

const plain = (fields, more) => res(fields, { confirms: false, ...more })
const from = (seconds, change) => (now) => change(date(now + seconds * 1000))
const between = (low, high) => (value) => /^\d+$/.test(value ?? '') && Number(value) >= low && Number(value) <= high

const HOUR_AGO = date(Date.now() - 3_600_000)

const INVALID = [
  '0', '-1', '', 'never', '3600', 'now', '2038-01-01T00:00:00Z', 'Thu, 32 Jan 2037 00:00:00 GMT', 'Thu, 01 Foo 2037 00:00:00 GMT', 'Thu, 01 Jan 2037 25:00:00 GMT',
  'Thu, 01 Jan 2037 00:60:00 GMT', 'Thu, 01 Jan 2037', '01 Jan', 'Thu, 01 Jan 2037 00:00:00 GMT; x', '"Thu, 01 Jan 2037 00:00:00 GMT"',
]

export default [
  optimal('RFC 9111 §5.3', 'Expires in the future', fill(res({ Expires: at(60) })), hit()),
  optimal('RFC 9111 §5.3', 'Expires in the future, no Date', fill(res({ Expires: at(60) }, { date: false })), hit()),
  optimal('RFC 9110 §5.6.7', 'Expires in the future, in RFC 850 format', fill(res({ Expires: rfc850(3600) })), hit()),
  optimal('RFC 9110 §5.6.7', 'Expires in the future, in asctime format', fill(res({ Expires: asctime(3600) })), hit()),
  optimal('RFC 9111 §4.2', 'Expires in lower case', fill(res({ Expires: from(60, (d) => d.toLowerCase()) })), hit()),
  optimal('RFC 9111 §4.2', 'Expires in upper case', fill(res({ Expires: from(60, (d) => d.toUpperCase()) })), hit()),
  optimal('RFC 9111 §5.3', 'Expires in the year 9999', fill(res({ Expires: 'Fri, 31 Dec 9999 23:59:59 GMT' })), hit()),
  optimal('RFC 9111 §5.3', 'the same Expires in two lines', fill(res({ Expires: at(3600), 'X-Between': '1' })), hit()),
  optimal('RFC 9111 §4.2', 'Expires with the zone EST is invalid', fill(plain({ Expires: from(3600, (d) => d.replace('GMT', 'EST')) })), miss()),
  optimal('RFC 9111 §4.2', 'Expires with the zone +0000 is invalid', fill(plain({ Expires: from(3600, (d) => d.replace('GMT', '+0000')) })), miss()),
  optimal('RFC 9111 §4.2', 'Expires without a zone is invalid', fill(plain({ Expires: from(3600, (d) => d.replace(' GMT', '')) })), miss()),
  optimal('RFC 9111 §4.2.1', 'Expires in two lines: past, then future', fill(plain({ Expires: [at(-60), at(3600)] })), miss()),
  must('RFC 9111 §5.3', 'Expires in the past', fill(plain({ Expires: at(-60) })), miss()),
  must('RFC 9111 §5.3', 'Expires in the past, no Date', fill(plain({ Expires: at(-60) }, { date: false })), miss()),
  must('RFC 9111 §5.3', 'Expires at the time of the response', fill(plain({ Expires: at(0) })), wait(1.1), miss()),
  must('RFC 9111 §5.3', 'Expires in one second is stale after 3 s', fill(plain({ Expires: at(1) })), wait(2.6), miss()),
  must('RFC 9110 §5.6.7', 'Expires in the past, in RFC 850 format', fill(plain({ Expires: rfc850(-3600) })), miss()),
  must('RFC 9110 §5.6.7', 'Expires in the past, in asctime format', fill(plain({ Expires: asctime(-3600) })), miss()),
  must('RFC 9110 §5.6.7', 'Expires with a two-digit year more than 50 years in the future is in the past',
    fill(plain({ Expires: `Sunday, 06-Nov-${String((new Date().getUTCFullYear() + 60) % 100).padStart(2, '0')} 08:49:37 GMT` })), miss()),
  ...INVALID.map((Expires) => must('RFC 9111 §5.3', `Expires: ${Expires || '(empty)'} is stale`, fill(plain({ Expires })), miss())),
  must('RFC 9111 §5.3', 'an invalid Expires prevents heuristic freshness', fill(plain({ Expires: 'soon', lm: 'Mon, 06 Nov 2023 08:49:37 GMT' })), miss()),

  must('RFC 9111 §4.2.1', 'Expires equal to a Date one hour ahead is stale', fill(plain({ Date: at(3600), Expires: at(3600) })), miss()),
  must('RFC 9111 §4.2.1', 'Expires before a Date one hour ahead is stale', fill(plain({ Date: at(3600), Expires: at(600) })), miss()),
  must('RFC 9111 §4.2.1', 'Expires 1 s after a Date one hour ahead is stale after 3 s', fill(plain({ Date: at(3600), Expires: at(3601) })), wait(2.6), miss()),
  optimal('RFC 9111 §4.2.1', 'Expires 60 s after a Date one hour ahead is fresh', fill(res({ Date: at(3600), Expires: at(3660) })), hit()),
  optimal('RFC 9111 §4.2.3', 'Date an hour ago, Expires in a minute', fill(res({ Date: at(-3600), Expires: at(60) })), hit({ has: { age: between(3599, 3605) } })),
  must('RFC 9111 §4.2.3', 'Date an hour ago, max-age of a minute', fill(plain({ Date: at(-3600), cc: 'max-age=60' })), miss()),
  must('RFC 9111 §4.2.3', 'Date 3 s ago, max-age=2', fill(plain({ Date: at(-3), cc: 'max-age=2' })), miss()),
  must('RFC 9111 §4.2.3', 'Date 3 s ago, max-age=5, 3 s later', fill(plain({ Date: at(-3), cc: 'max-age=5' })), wait(3), miss()),
  optimal('RFC 9111 §4.2.3', 'Date 100 s ago, max-age=200', fill(res({ Date: at(-100), cc: 'max-age=200' })), hit({ has: { age: between(100, 105) } })),
  optimal('RFC 9111 §4.2.3', 'Date an hour ahead, max-age=60', fill(res({ Date: at(3600), cc: 'max-age=60' })), hit({ has: { age: between(0, 3) } })),
  optimal('RFC 9111 §4.2.3', 'invalid Date, max-age=60', fill(res({ Date: 'yesterday', cc: 'max-age=60' })), hit()),
  optimal('RFC 9111 §4.2.3', 'no Date, max-age=60', fill(res({ cc: 'max-age=60' }, { date: false })), hit()),
  must('RFC 9110 §6.6.1', 'a missing Date is added', fill(res({ cc: 'max-age=60' }, { date: false }), { has: { date: /GMT$/ } }), hit({ has: { date: /GMT$/ } })),
  must('RFC 9111 §4', 'Date is kept', fill(res({ Date: HOUR_AGO, cc: 'max-age=7200' }), { has: { date: HOUR_AGO } }), wait(1.1), hit({ has: { date: HOUR_AGO } })),

  must('RFC 9111 §4', 'a stored response has Age', fill(res({ cc: 'max-age=60' })), wait(2.2), hit({ has: { age: between(2, 4) } })),
  must('RFC 9111 §5.1', 'Age is the Age of upstream plus the resident time', fill(res({ cc: 'max-age=60', Age: '30' })), wait(2.2), hit({ has: { age: between(32, 34) } })),
  must('RFC 9111 §4.2.3', 'Age above max-age', fill(plain({ cc: 'max-age=60', Age: '3600' })), miss()),
  must('RFC 9111 §4.2.3', 'Age equal to max-age', fill(plain({ cc: 'max-age=60', Age: '60' })), miss()),
  must('RFC 9111 §4.2.3', 'Age plus resident time reaches max-age', fill(plain({ cc: 'max-age=60', Age: '58' })), wait(3.2), miss()),
  must('RFC 9111 §4.2.3', 'Age above the lifetime of Expires', fill(plain({ Expires: at(60), Age: '3600' })), miss()),
  must('RFC 9111 §4.2.3', 'Age above s-maxage', fill(plain({ cc: 's-maxage=60, max-age=9999', Age: '100' })), miss()),
  must('RFC 9111 §1.2.2', 'Age above 31 bits', fill(plain({ cc: 'max-age=60', Age: '2147483649' })), miss()),
  must('RFC 9111 §1.2.2', 'Age above 64 bits', fill(plain({ cc: 'max-age=60', Age: '99999999999999999999999' })), miss()),
  must('RFC 9111 §5.1', 'Age with leading zeros', fill(plain({ cc: 'max-age=60', Age: '0003600' })), miss()),
  optimal('RFC 9111 §5.1', 'Age: 3600, 0 has the first value', fill(plain({ cc: 'max-age=60', Age: '3600, 0' })), miss()),
  optimal('RFC 9111 §5.1', 'Age of two lines has the first value', fill(plain({ cc: 'max-age=60', Age: ['3600', '0'] })), miss()),
  optimal('RFC 9111 §5.1', 'Age: 0, 3600 has the first value', fill(res({ cc: 'max-age=60', Age: '0, 3600' })), hit()),
  ...['0', 'abc', '-3600', '3600.5', '3600s', '"3600"', '', '+3600', '1e4'].map((Age) =>
    optimal('RFC 9111 §5.1', `Age: ${Age || '(empty)'} adds no age`, fill(res({ cc: 'max-age=60', Age })), hit({ has: { age: between(0, 3) } }))),
  must('RFC 9111 §5.1', 'a stored response has exactly one Age', fill(res({ cc: 'max-age=60', Age: ['1', '2'] })), hit({ check: (answer) => answer.all('age').length !== 1 && `${answer.all('age').length} Ages` })),
  must('RFC 9111 §4.2.3', 'the larger age by Date and Age applies', fill(plain({ cc: 'max-age=60', Date: at(-100), Age: '5' })), asked()),
]
