/**
 * settings-resources: when the process gives up features, in the configuration file (E9).
 *
 * Apart from settings.ts, which is at its size limit.
 *
 * Promises: every limit can be switched off by null.
 * Never: reads a file or the environment.
 */
import { z } from "zod"
import { wholeFrom } from "./settings-words.ts"

const percent = wholeFrom(1, 100).nullable()
const limit = wholeFrom(1).nullable()

export const resources = z
  .strictObject({
    everyMs: wholeFrom(100, 60_000).default(5_000).meta({
      description: "Time between two readings; three in a row over a limit shed a feature."
    }),
    rssHighMb: limit.default(null).meta({
      description: "Memory of the process. null: 60 percent of what its cgroup or the machine has."
    }),
    rssCriticalMb: limit.default(null).meta({ description: "null: 80 percent." }),
    heapHighPct: percent.default(80).meta({ description: "How full the heap may be." }),
    heapCriticalPct: percent.default(92).meta({ description: "See `heapHighPct`." }),
    loopHighMs: limit.default(500).meta({
      description: "How late the event loop may be, 99th percentile between two readings."
    }),
    loopCriticalMs: limit.default(2_000).meta({ description: "See `loopHighMs`." }),
    diskFreeHighPct: percent.default(5).meta({
      description: "Less than this free on the file system of `dataDir` is too little."
    }),
    diskFreeCriticalPct: percent.default(2).meta({ description: "See `diskFreeHighPct`." }),
    poolWaitingHigh: limit.default(50).meta({
      description: "Calls that may wait for a connection to the database."
    }),
    queueHighMs: limit.default(60_000).meta({
      description: "How long the oldest post or undecided signal may wait."
    })
  })
  .meta({
    id: "ResourceSettings",
    description: "When features are given up so that trading goes on (E9); each limit may be null: none."
  })
