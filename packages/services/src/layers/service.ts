import type { Readable } from 'node:stream'
import type { inputs, views } from '@slipway/contracts'
import type { z } from 'zod'
import type { Scope } from '../scope'

type Of<S extends z.ZodType> = Omit<z.infer<S>, 'org'>

/** What is inside images. Everything but `state` and `whereUsed` throws `LAYERS_NOT_READ` until all layers are read. */
export interface FilesService {
  /** Asks for the layers that nobody has read, too. */
  state(scope: Scope, input: Of<typeof inputs.imageFiles>): Promise<views.ImageFilesView>
  /** One directory: its directories first, by name. */
  list(scope: Scope, input: Of<typeof inputs.listFiles>): Promise<views.FilePageView>
  search(scope: Scope, input: Of<typeof inputs.searchFiles>): Promise<views.FileSearchView>
  /** A file of at most 1 MB that is text; `FILE_TOO_LARGE`, `FILE_NOT_TEXT`, `FILE_IS_LINK`. */
  text(scope: Scope, input: Of<typeof inputs.fileOfImage>): Promise<views.FileTextView>
  /** A file of any size; the stream ends with an error when it breaks off, and with `signal`. */
  download(scope: Scope, input: Of<typeof inputs.fileOfImage>, signal: AbortSignal): Promise<{ stream: Readable; filename: string }>
  /** As the layers' own files tell, where no list is attached to the image. */
  packages(scope: Scope, input: Of<typeof inputs.imageFiles>): Promise<views.LayerPackagesView>
  /** `theirs`: where the other image is looked for. */
  compare(scope: Scope, input: Of<typeof inputs.compareImages>, theirs?: Scope): Promise<views.ComparisonView>
  whereUsed(scope: Scope, input: Of<typeof inputs.whereUsed>): Promise<views.WhereUsedView>
}
