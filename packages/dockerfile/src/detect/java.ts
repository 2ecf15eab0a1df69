/** Java: Maven and Gradle, with their wrappers where the repository has them; one jar that runs. */
import { type Evidence, ignoreFile, type Kind, PORT_OTHER } from './detection'
import { apt, Sheet, USER } from './sheet'
import { fromHub, OWN } from './versions'

/** Debian’s own. */
const DEBIAN_JAVA = 17
/** Its packages link manual pages there, and fail in an image that was made small by leaving them out. */
const MAN_PAGES = 'mkdir -p /usr/share/man/man1'

export const java: Kind = (folder) => {
  const pom = folder.text('pom.xml')
  const gradleFile = folder.first(['build.gradle', 'build.gradle.kts'])
  if (pom === undefined && !gradleFile) return null
  const maven = pom !== undefined
  const file = maven ? 'pom.xml' : (gradleFile ?? '')
  const text = pom ?? folder.text(file) ?? ''
  const wrapper = maven ? folder.has('mvnw') && folder.hasFolder('.mvn') : folder.has('gradlew')
  if (!maven && !wrapper)
    return `Found ${file}, but no gradlew: which Gradle builds it is not known. Run gradle wrapper and commit what it makes, or commit a Dockerfile.`
  const asked = Number(
    (maven
      ? /<(?:java\.version|maven\.compiler\.release|maven\.compiler\.source|release)>\s*(\d{1,2})\s*</
      : /(?:JavaLanguageVersion\.of\(|sourceCompatibility\s*=\s*(?:JavaVersion\.VERSION_|['"])?|jvmToolchain\()(\d{1,2})/
    ).exec(text)?.[1] ?? DEBIAN_JAVA,
  )
  // A newer JDK compiles for an older Java; but Gradle takes a toolchain by its word.
  const exact = !maven && /JavaLanguageVersion\.of|jvmToolchain/.test(text)
  const local = asked === DEBIAN_JAVA || (asked < DEBIAN_JAVA && !exact)
  const version = local ? DEBIAN_JAVA : asked
  const spring = /spring-boot/.test(text) || /org\.springframework\.boot/.test(text)
  const quarkus = /quarkus/.test(text)
  const title = spring ? 'Spring Boot' : quarkus ? 'Quarkus' : 'a jar'
  const warnings: string[] = []
  if (!local) warnings.push(fromHub(`eclipse-temurin:${version}`, 'Java', `Java ${DEBIAN_JAVA}`))
  if (!spring && !quarkus)
    warnings.push(
      'The jar must name its main class and hold what it needs (the shade plugin, or shadowJar): nothing else is put beside it.',
    )
  const tool = wrapper ? (maven ? './mvnw' : './gradlew') : 'mvn'
  const stack = [`Java ${version}`, maven ? 'Maven' : 'Gradle', title]

  const sheet = new Sheet(stack.join(', ')).stage(
    'Stage 1: the compiler and the build tool.',
    local ? OWN.debian : `eclipse-temurin:${version}-jdk`,
    'build',
  )
  if (local) sheet.run([MAN_PAGES, ...apt(['ca-certificates', 'openjdk-17-jdk-headless', ...(wrapper ? ['unzip'] : ['maven'])])])
  sheet.workdir('/src')
  const folders = maven ? ['.mvn'] : ['gradle']
  const files = maven
    ? ['pom.xml', ...(wrapper ? ['mvnw'] : [])]
    : ['gradlew', file, ...['settings.gradle', 'settings.gradle.kts', 'gradle.properties'].filter((name) => folder.has(name))]
  const caches = [maven ? '/root/.m2' : '/root/.gradle']
  sheet.comment('What describes the build first; the cache keeps the downloads of all builds.')
  sheet.copy(files, './')
  if (wrapper) for (const name of folders.filter((name) => folder.hasFolder(name))) sheet.copy([name], `./${name}`)
  const quiet = maven ? `${tool} -B -q` : `${tool} --no-daemon`
  sheet.run(
    [...(wrapper ? [`chmod +x ${tool}`] : []), maven ? `${quiet} dependency:go-offline || true` : `${quiet} dependencies || true`],
    { caches },
  )
  sheet.copy(['.'], '.')
  const jar = maven ? 'target' : 'build/libs'
  const package_ = maven ? `${quiet} package -DskipTests` : spring ? `${quiet} bootJar` : `${quiet} assemble`
  sheet.comment('Of the jars that are made, the one that runs.')
  if (quarkus)
    sheet.run([...(wrapper ? [`chmod +x ${tool}`] : []), package_, maven ? 'mv target/quarkus-app /out' : 'mv build/quarkus-app /out'], {
      caches,
    })
  else
    sheet.run(
      [
        ...(wrapper ? [`chmod +x ${tool}`] : []),
        package_,
        'mkdir /out',
        `mv "$(ls -S ${jar}/*.jar | grep -v -e -plain -e -sources -e -javadoc -e /original- | head -n 1)" /out/app.jar`,
      ],
      { caches },
    )
  sheet.stage('Stage 2: what runs, without compiler and build tool.', local ? OWN.debian : `eclipse-temurin:${version}-jre`)
  if (local) sheet.run([MAN_PAGES, ...apt(['openjdk-17-jre-headless'])])
  sheet.env({ PORT: String(PORT_OTHER), SERVER_PORT: String(PORT_OTHER), JAVA_TOOL_OPTIONS: '-XX:MaxRAMPercentage=75' }).workdir('/app')
  sheet.copy(['/out'], '/app', { from: 'build' })
  if (quarkus) sheet.env({ QUARKUS_HTTP_HOST: '0.0.0.0', QUARKUS_HTTP_PORT: String(PORT_OTHER) })
  sheet.user(USER).expose(PORT_OTHER)
  sheet.cmd(['java', '-jar', quarkus ? 'quarkus-run.jar' : 'app.jar'])
  const evidence: Evidence[] = [
    { file, fact: spring ? 'names spring-boot' : quarkus ? 'names quarkus' : 'describes the project' },
    { file, fact: `asks for Java ${asked}` },
    ...(wrapper ? [{ file: maven ? 'mvnw' : 'gradlew', fact: 'brings its own build tool' }] : []),
  ]
  return { stack, evidence, ...sheet.made(), ignore: ignoreFile(['target', 'build', '.gradle']), port: PORT_OTHER, warnings }
}
