/** A kept two-way stream of frames to one peer. */
export interface Channel {
  readonly peerId: string
  readonly isOpen: boolean
  /** Queues a frame, which must not change any more. False, and nothing is queued, once it is closed or too much waits. */
  send(frame: Uint8Array): boolean
  /** Lets what is queued go out, then ends both ways. */
  close(): void
}

export type ChannelHandlers = {
  /**
   * Returns a promise when it has no room for more: nothing is read until that is done; it must not reject. A BlyanError that
   * is thrown at once says that the frame was wrong: the channel is closed and it costs the peer.
   */
  readonly onFrame: (frame: Uint8Array) => Promise<void> | undefined | void
  /** Once, however it ended. */
  readonly onClose: () => void
}

/** Called for each channel that a peer opened. */
export type ChannelOpener = (channel: Channel) => ChannelHandlers
