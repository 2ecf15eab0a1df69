export { type RouterConfigInit, routerConfig } from './config'
export { openConnections, waitDrained } from './drain'
export { createIngress, type Ingress, type IngressHealth, type IngressOptions } from './ingress'
export { isHostname, type Route, routeFiles } from './routes'
