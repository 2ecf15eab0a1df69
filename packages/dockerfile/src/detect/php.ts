/** PHP: Composer, Laravel and Symfony, or plain files, behind Apache. */
import { ignoreFile, type Kind, PORT_OTHER, shown } from './detection'
import { has, parseJson, string, table, type Values } from './manifest'
import { managerOf } from './node/manager'
import { apt, OWNER, Sheet, USER } from './sheet'
import { allows, fromHub, OWN } from './versions'

/** Debian’s own. */
const DEBIAN_PHP = '8.2'
const NEWER = ['8.3', '8.4', '8.5', '8.1']

/** Extensions and Debian's packages of them; others are part of PHP, or not in Debian. */
const EXTENSIONS: Record<string, string> = {
  bcmath: 'php-bcmath',
  curl: 'php-curl',
  dom: 'php-xml',
  gd: 'php-gd',
  intl: 'php-intl',
  mbstring: 'php-mbstring',
  mysqli: 'php-mysql',
  pdo_mysql: 'php-mysql',
  pdo_pgsql: 'php-pgsql',
  pdo_sqlite: 'php-sqlite3',
  pgsql: 'php-pgsql',
  redis: 'php-redis',
  simplexml: 'php-xml',
  xml: 'php-xml',
  zip: 'php-zip',
}
const LARAVEL = ['bcmath', 'curl', 'mbstring', 'pdo_mysql', 'pdo_pgsql', 'pdo_sqlite', 'xml', 'zip']

export const php: Kind = (folder) => {
  const text = folder.text('composer.json')
  const plain = folder.first(['index.php', 'public/index.php'])
  if (text === undefined && !plain) return null
  const manifest: Values | null = text === undefined ? {} : parseJson(text)
  if (manifest === null) return 'composer.json is no JSON object. Correct it, or commit a Dockerfile.'
  const laravel = has(manifest, 'require', 'laravel/framework') && folder.has('artisan')
  const symfony = has(manifest, 'require', 'symfony/framework-bundle')
  const root = folder.has('public/index.php') ? 'public' : folder.has('web/index.php') ? 'web' : folder.has('index.php') ? '' : null
  if (root === null) return 'Found composer.json, but no index.php here or in public/: what to serve is not known. Commit a Dockerfile.'

  const range = string(manifest, 'require', 'php')
  const wanted = range === undefined ? DEBIAN_PHP : [DEBIAN_PHP, ...NEWER].find((version) => allows(range, version))
  if (wanted === undefined)
    return `composer.json asks for PHP ${shown(range ?? '')}, for which there is no image that is known here. Commit a Dockerfile.`
  const local = wanted === DEBIAN_PHP
  const base = local ? OWN.debian : `php:${wanted}-apache-bookworm`
  const asked = Object.keys(table(manifest, 'require')).flatMap((name) => (name.startsWith('ext-') ? [name.slice(4)] : []))
  const packages = [...(laravel || symfony ? LARAVEL : []), ...asked].flatMap((name) =>
    Object.hasOwn(EXTENSIONS, name) ? [EXTENSIONS[name] ?? ''] : [],
  )
  const warnings: string[] = []
  if (!local) {
    warnings.push(fromHub(base, 'PHP', `PHP ${DEBIAN_PHP}`))
    if (asked.length > 0)
      warnings.push('Extensions that composer.json asks for are not in that image: add docker-php-ext-install where one is missing.')
  }
  if (laravel) warnings.push('Laravel needs APP_KEY: set it as a variable of the app (php artisan key:generate --show makes one).')
  const title = laravel ? 'Laravel' : symfony ? 'Symfony' : 'Apache'
  const composer = text !== undefined && (folder.has('composer.lock') || has(manifest, 'require'))
  const stack = [`PHP ${wanted}`, ...(composer ? ['Composer'] : []), title]
  const node = parseJson(folder.text('package.json') ?? '')
  const frontend = node !== null && string(node, 'scripts', 'build') !== undefined

  const sheet = new Sheet(stack.join(', '))
  if (frontend) {
    const manager = managerOf(folder, node)
    sheet.stage('Styles and scripts are made by Node, which does not go into the image.', OWN.node, 'assets')
    sheet.run(manager.setup).workdir('/app')
    sheet
      .copy(['package.json', ...manager.files.filter((file) => folder.has(file) && !file.includes('/'))], './')
      .run([manager.install], { caches: [manager.cache] })
    sheet.copy(['.'], '.').run([`${manager.name} run build`])
  }
  sheet.stage('Apache with PHP, listening on $PORT, writing its log to the container’s.', base)
  const apache = ['apache2', 'libapache2-mod-php', 'php-cli', ...packages, ...(composer ? ['composer', 'unzip', 'git'] : [])]
  if (local) sheet.run(apt(apache))
  else if (composer) sheet.copy(['/usr/bin/composer'], '/usr/local/bin/composer', { from: 'composer:2' }).run(apt(['git', 'unzip']))
  sheet.file('/etc/apache2/sites-available/000-default.conf', [
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Apache’s own variable
    '<VirtualHost *:${PORT}>',
    `  DocumentRoot /app${root === '' ? '' : `/${root}`}`,
    '  ErrorLog /dev/stderr',
    '  CustomLog /dev/stdout combined',
    `  <Directory /app${root === '' ? '' : `/${root}`}>`,
    '    AllowOverride All',
    '    Require all granted',
    `    FallbackResource ${laravel || symfony ? '/index.php' : 'disabled'}`,
    '  </Directory>',
    '</VirtualHost>',
  ])
  sheet.run([
    `echo 'Listen \${PORT}' > /etc/apache2/ports.conf`,
    'a2enmod rewrite',
    'mkdir -p /var/run/apache2 /var/lock/apache2 /var/log/apache2',
    `chown -R ${OWNER} /var/run/apache2 /var/lock/apache2 /var/log/apache2`,
  ])
  sheet.env({ PORT: String(PORT_OTHER), COMPOSER_ALLOW_SUPERUSER: '1' }).workdir('/app')
  if (composer) {
    const files = ['composer.json', ...(folder.has('composer.lock') ? ['composer.lock'] : [])]
    sheet.comment('The manifests first: packages are installed again only when these change. The cache keeps the downloads.')
    sheet
      .copy(files, './')
      .run(['composer install --no-dev --no-scripts --no-autoloader --no-interaction --prefer-dist'], { caches: ['/root/.cache/composer'] })
  }
  sheet.copy(['.'], '.', { chown: OWNER })
  if (frontend)
    sheet.copy([`/app/${root === '' ? 'dist' : `${root}/build`}`], `/app/${root === '' ? 'dist' : `${root}/build`}`, {
      from: 'assets',
      chown: OWNER,
    })
  if (composer) sheet.run(['composer dump-autoload --no-dev --optimize'])
  if (laravel)
    sheet.run([
      'mkdir -p storage/framework/cache storage/framework/sessions storage/framework/views bootstrap/cache',
      `chown -R ${OWNER} storage bootstrap/cache`,
    ])
  sheet.user(USER).expose(PORT_OTHER)
  sheet.cmd(local ? ['apachectl', '-D', 'FOREGROUND'] : ['apache2-foreground'])
  return {
    stack,
    evidence: [
      ...(text === undefined
        ? []
        : [
            {
              file: 'composer.json',
              fact: laravel ? 'names laravel/framework' : symfony ? 'names symfony/framework-bundle' : 'names what to install',
            },
          ]),
      ...(range ? [{ file: 'composer.json', fact: `asks for PHP ${shown(range)}` }] : []),
      { file: root === '' ? 'index.php' : `${root}/index.php`, fact: 'is the first page' },
      ...(frontend ? [{ file: 'package.json', fact: 'has a "build" script' }] : []),
    ],
    ...sheet.made(),
    ignore: ignoreFile(['vendor', 'node_modules', 'storage/logs/*', 'storage/framework/cache/data']),
    port: PORT_OTHER,
    warnings,
  }
}
