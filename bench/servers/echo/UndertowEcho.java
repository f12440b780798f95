import io.undertow.Handlers;
import io.undertow.Undertow;
import io.undertow.websockets.core.AbstractReceiveListener;
import io.undertow.websockets.core.BufferedBinaryMessage;
import io.undertow.websockets.core.BufferedTextMessage;
import io.undertow.websockets.core.WebSocketChannel;
import io.undertow.websockets.core.WebSockets;

/** The WebSocket example of Undertow, for both types of messages. */
public class UndertowEcho {
    public static void main(String[] args) {
        Undertow.builder()
                .addHttpListener(Integer.parseInt(args[0]), "127.0.0.1")
                .setHandler(
                        Handlers.websocket(
                                (exchange, channel) -> {
                                    channel.getReceiveSetter().set(new Echo());
                                    channel.resumeReceives();
                                }))
                .build()
                .start();
    }

    static class Echo extends AbstractReceiveListener {
        @Override
        protected void onFullTextMessage(WebSocketChannel channel, BufferedTextMessage message) {
            WebSockets.sendText(message.getData(), channel, null);
        }

        @Override
        protected void onFullBinaryMessage(WebSocketChannel channel, BufferedBinaryMessage message) {
            var pooled = message.getData();
            WebSockets.sendBinary(WebSockets.mergeBuffers(pooled.getResource()), channel, null);
            pooled.free();
        }
    }
}
