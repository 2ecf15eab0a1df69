'use client'
import { createContext, useContext } from 'react'

export const OutsideContext = createContext(false)

/** Whether who looks is no member of the organization, and sees only what is shared with them. */
export const useOutside = () => useContext(OutsideContext)
