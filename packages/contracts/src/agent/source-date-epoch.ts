/** In the year 2242: eleven octal digits, which is what the header of a tar's entry has room for. */
export const MAX_SOURCE_DATE_EPOCH = 0o77_777_777_777
