export { clientAddress, LOOPBACK_ONLY, TrustedProxies } from './client-address'
export { Outbound, type OutboundAnswer, type OutboundOptions, type OutboundRequest, readAnswer } from './outbound'
export { type Depth, depthOf, INSIDE_TOO, OUTSIDE_ONLY, Places } from './places'
export { type Lookup, type Reach, reach, systemLookup } from './reach'
