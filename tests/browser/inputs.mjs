// Writes inputs that no generator of customers makes: 300 kinds of faults, and names that would do harm in a page.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = process.argv[2]
const write = (name, text) => writeFileSync(join(folder, name), text)

const schemaOf = (names) => JSON.stringify({ properties: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) })
const documentsOf = (names, value) => names.map((name, index) => JSON.stringify({ [name]: value(index) }) + '\n').join('')

const kinds = Array.from({ length: 300 }, (_, index) => `property ${index}`)
write('huge.schema.json', schemaOf(kinds))
write('huge.ndjson', documentsOf(kinds, (index) => index))

const hostile = [
    '<script>alert("S3NTINEL")</script>',
    '"><img src=x onerror=alert(1)>',
    'javascript:alert(1)',
    '\u001b[31mred\u001b[0m',
    '\u202eright to left\u202c\u2066isolated\u2069',
    '</style><script>document.title = "S3NTINEL"</script>',
    '&lt;b&gt; &amp; \u0000'.replace('\u0000', ''),
    'x'.repeat(10000),
    '<svg onload=alert(1)>',
]
write('hostile.schema.json', schemaOf(hostile.filter((name) => !name.includes('S3NTINEL'))))
const values = ['S3NTINEL', '<script>alert("S3NTINEL")</script>', 'S3NTINEL'.repeat(1000), { S3NTINEL: 'S3NTINEL' }, ['S3NTINEL']]
write(
    '<img src=x onerror=alert(1)>.ndjson',
    documentsOf(hostile, (index) => index) +
        hostile.flatMap((name) => values.map((value) => JSON.stringify({ [name]: value, S3NTINEL: value }) + '\n')).join(''),
)
