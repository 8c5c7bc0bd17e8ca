/**
 * A chat with the bot in a terminal: lines are messages, and the buttons of the bot have numbers.
 *
 * Promises: what the bot writes is shown as it arrives, with its buttons; `:as`, `:in`, `:press` and `:help` are for the person
 * at the keyboard, everything else goes to the bot.
 * Never: changes what the bot sees.
 */
import type { Bot } from "./bot.ts"
import type { Message } from "./chats.ts"

const help = [
  "Every line is a message to the bot. Beginning with a colon:",
  "  :as USER     speak as this user, in the private chat of that user",
  "  :in CHAT     speak in this chat; a negative number is a group",
  "  :press N     press the button N of the last message with buttons",
  "  :help        this"
]

export interface Terminal {
  readonly hear: (line: string) => void
}

/** Shows what the bot writes through `print`, and takes lines. */
export const openTerminal = (bot: Bot, first: number, print: (line: string) => void): Terminal => {
  let user = first
  let chat = first
  let last: Message | undefined
  bot.chats.open(chat)
  bot.heard = (message) => {
    if (message.keyboard.length > 0) last = message
    print(`[${message.chat}] ${message.edits > 0 ? "(edited) " : ""}${message.text}`)
    for (const [at, button] of message.keyboard.flat().entries())
      print(`    ${at + 1}: ${button.text}${button.url === undefined ? "" : ` (${button.url})`}`)
  }
  const press = (argument: string): void => {
    const data = last?.keyboard.flat()[Number(argument) - 1]?.callback_data
    if (last === undefined || data === undefined) return print("there is no such button")
    bot.press(last.chat, user, last.message_id, data)
    return undefined
  }
  const whole = (argument: string): number | null => (/^-?\d{1,15}$/.test(argument) ? Number(argument) : null)
  return {
    hear: (line) => {
      const text = line.trim()
      if (text === "") return
      if (!text.startsWith(":")) {
        bot.say(chat, user, text)
        return
      }
      const [word = "", argument = ""] = text.split(/\s+/)
      const number = whole(argument)
      if (word === ":press") press(argument)
      else if ((word === ":as" || word === ":in") && number !== null) {
        chat = number
        if (word === ":as") user = number
        bot.chats.open(chat)
        print(`user ${user} in chat ${chat}`)
      } else for (const one of help) print(one)
    }
  }
}
