/** The cases that both builders of the test know. */
import { ADD } from './add'
import { CONFIG } from './config'
import { COPY } from './copy'
import { IGNORE } from './ignore'
import { REFUSED } from './refused'
import { RUN } from './run'
import { STAGES } from './stages'
import { VARIABLES } from './variables'

export const TOPICS = { COPY, ADD, IGNORE, CONFIG, VARIABLES, STAGES, RUN, REFUSED }
