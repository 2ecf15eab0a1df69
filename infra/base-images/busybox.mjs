export async function ensureBusybox() {
  return 'none yet'
}
