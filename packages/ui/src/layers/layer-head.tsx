import { Th } from '../table'

/** The head of a table of what layers or steps take: by what, beside what else, and how much. `first` comes before all, and leaves on the phone. */
export function LayerHead({ first, between }: { first?: string; between: string[] }) {
  return (
    <thead>
      <tr>
        {first && (
          <Th optional className="w-44">
            {first}
          </Th>
        )}
        <Th>Made by</Th>
        {between.map((name) => (
          <Th key={name} right optional className="w-32">
            {name}
          </Th>
        ))}
        <Th right className="w-24">
          Size
        </Th>
      </tr>
    </thead>
  )
}
