/** The S3 server's program, built unless that was done before; throws an error that says what is missing and how to get it. */
export function buildS3Server(step: { detail: (text: string) => void }): Promise<string>
