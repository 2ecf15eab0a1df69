import { createServer } from 'node:http'
import { sum } from '@mono/sum'

createServer((_, answer) => answer.end(`sum ${sum(20, 21, 1)}\n`)).listen(8080)
