/**
 * telegram-unreachable: which refusals say that a chat cannot be written to, rather than that a message is wrong.
 *
 * Promises: pure; the words are those of the Bot API.
 * Never: counts what passes by itself, such as a rate.
 */

const WORDS =
  /^Forbidden|chat not found|upgraded to a supergroup|the chat is now|user is deactivated|rights to send|CHAT_WRITE_FORBIDDEN/i

/** Whether nothing that is sent to the chat arrives before a person changes something. */
export const isUnreachable = (reason: string): boolean => WORDS.test(reason)
