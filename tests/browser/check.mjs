// Opens each page of a folder, light and dark, wide and narrow; ends with 1 where one of them is not as it has to be.

import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import puppeteer from 'puppeteer-core'

const [folder, executablePath, ...names] = process.argv.slice(2)
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const faults = []

async function check(browser, name, scheme, width) {
    const page = await browser.newPage()
    const fault = (text) => faults.push(`${name}, ${scheme}, ${width} wide: ${text}`)
    const url = pathToFileURL(resolve(join(folder, name))).href
    page.on('request', (request) => request.url() === url || fault(`asks for ${request.url()}`))
    page.on('dialog', (dialog) => { fault('opens a dialog'); dialog.dismiss() })
    page.on('console', (message) => fault(`writes to the console: ${message.text()}`))
    page.on('pageerror', (error) => fault(`runs something: ${error}`))
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
    await page.setViewport({ width, height: 900 })
    await page.goto(url, { waitUntil: 'networkidle0' })
    const found = await page.evaluate(() => ({
        scripts: document.querySelectorAll('script, iframe, object, embed, link, img, form').length,
        handlers: [...document.querySelectorAll('*')].filter((one) => [...one.attributes].some((a) => a.name.startsWith('on'))).length,
        links: [...document.querySelectorAll('a')].filter((one) => !one.getAttribute('href').startsWith('#')).length,
        overflows: document.documentElement.scrollWidth > document.documentElement.clientWidth + 1,
        text: document.documentElement.outerHTML,
        height: document.documentElement.scrollHeight,
    }))
    if (found.scripts > 0) fault(`has ${found.scripts} elements that run or fetch something`)
    if (found.handlers > 0) fault(`has ${found.handlers} elements with event handlers`)
    if (found.links > 0) fault(`has ${found.links} links that lead elsewhere`)
    if (found.overflows) fault('is wider than the window')
    if (found.text.includes('S3NTINEL')) fault('holds a value of a customer')
    if (statSync(join(folder, name)).size >= 500_000) fault('is larger than 500 kB')
    // A browser draws no picture of a whole page that is longer.
    const clip = { x: 0, y: 0, width, height: Math.min(found.height, 8000) }
    await page.screenshot({ path: join(folder, `${name}.${scheme}.${width}.png`), clip, captureBeyondViewport: true })
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
    for (const violation of violations.filter((one) => ['serious', 'critical'].includes(one.impact))) {
        fault(`${violation.id}: ${violation.help} (${violation.nodes.length} times, first ${violation.nodes[0].html.slice(0, 200)})`)
    }
    await page.close()
}

const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] }).catch((error) => {
    console.log(`\nTHE CHECK OF REPORT PAGES IN A BROWSER IS LEFT OUT: the browser does not start: ${error}`)
    process.exit(0)
})
const pages = names.map((name) => `${name}.html`)
for (const name of pages) {
    for (const scheme of ['light', 'dark']) {
        for (const width of [1200, 400]) await check(browser, name, scheme, width)
    }
}
await browser.close()
console.log(`${pages.length} pages opened ${pages.length * 4} times, ${faults.length} faults`)
faults.forEach((fault) => console.log(`  ${fault}`))
process.exit(pages.length > 0 && faults.length === 0 ? 0 : 1)
