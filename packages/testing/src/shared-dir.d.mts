export function alive(pid: number): boolean
export function postgresUser(): { uid: number; gid: number } | null
export function chownForPostgres(file: string): Promise<void>
export function takeLock(file: string, timeoutMs?: number): Promise<() => Promise<void>>
