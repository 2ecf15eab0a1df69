import { createServer } from 'node:http'
import mustache from 'mustache'

createServer((_, answer) => answer.end(mustache.render('hello from {{name}}\n', { name: 'node' }))).listen(3000)
