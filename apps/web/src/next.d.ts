// What next-env.d.ts refers to, kept in the tree so that the types can be checked before the first build.
/// <reference types="next" />
/// <reference types="next/image-types/global" />
declare module '*.css'
